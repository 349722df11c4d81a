"""A process started afresh (`spawn`), which imports this program, and a queue between the two."""
import multiprocessing


class Message:
    def __init__(self, text):
        self.text = text


def shout(inbox, outbox):
    for message in iter(inbox.get, None):
        outbox.put(Message(message.text.upper() + "!"))


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=shout, args=(inbox, outbox))
    process.start()
    for word in ("hello", "there", None):
        inbox.put(word and Message(word))
    answers = [outbox.get(timeout=20).text for _ in range(2)]
    process.join()
    exit_code = process.exitcode
    print(answers, exit_code)
    del context, inbox, outbox, process, word
