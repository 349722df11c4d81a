"""Three workers take jobs from a queue; the results come in the order of the jobs."""
import asyncio


async def worker(name, queue, done):
    while True:
        number, delay = await queue.get()
        await asyncio.sleep(delay)
        done[number] = f"{number * number}"
        queue.task_done()


async def main():
    queue, done = asyncio.Queue(), {}
    for number in range(8):
        queue.put_nowait((number, 0.001 * (8 - number)))
    workers = [asyncio.create_task(worker(f"w{n}", queue, done)) for n in range(3)]
    await queue.join()
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        print("gave up waiting")
    return dict(sorted(done.items()))


if __name__ == "__main__":
    squares = asyncio.run(main())
    print(squares)
