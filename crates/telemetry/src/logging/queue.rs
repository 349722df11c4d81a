//! Lines on their way out. Whoever logs waits for nobody: one thread writes, and may wait for a reader as long as it has to.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for a reader who does not keep up; further ones are lost.
const WAITING: usize = 8192;
/// The last lines have so long to get out.
const LAST_LINES: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The way in; each event is written to it as one line.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// None: the end.
    lines: SyncSender<Option<Vec<u8>>>,
    lost: Arc<AtomicUsize>,
}

/// To be dropped last: what waits to be written then gets out, if anybody takes it.
#[must_use]
#[derive(Debug)]
pub struct Log {
    queue: Queue,
    written: Receiver<()>,
}

/// Lines that go to `sink`. What that does not take, being a full disk or a pipe that nobody has open, is lost; nothing else is.
pub(super) fn to(mut sink: impl Write + Send + 'static) -> io::Result<(Queue, Log)> {
    let (lines, waiting) = sync_channel::<Option<Vec<u8>>>(WAITING);
    let (done, written) = sync_channel(1);
    let queue = Queue { lines, lost: Arc::default() };
    let lost = Arc::clone(&queue.lost);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        while let Ok(Some(line)) = waiting.recv() {
            let _ = sink.write_all(&line);
            let lost = lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                warn!(lost, "lines of the log were not read in time");
            }
        }
        let _ = done.send(());
    })?;
    Ok((queue.clone(), Log { queue, written }))
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Some(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let until = Instant::now() + LAST_LINES;
        while self.queue.lines.try_send(None).is_err() {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(LOOK_AGAIN);
        }
        let _ = self.written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Takes a line whenever it is let.
    struct Reader {
        may: Receiver<()>,
        read: SyncSender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.may.recv();
            let _ = self.read.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_keep_up_loses_the_newest_and_gets_the_rest_in_order() {
        let (let_it, may) = channel();
        let (read, lines) = sync_channel(2 * WAITING);
        let (mut queue, log) = to(Reader { may, read }).unwrap();
        for number in 0..2 * WAITING {
            queue.write_all(number.to_string().as_bytes()).unwrap();
        }
        // One may be on its way.
        let lost = queue.lost.load(Ordering::Relaxed);
        assert!((WAITING - 1..=WAITING).contains(&lost), "{lost}");
        drop(let_it);
        drop(log);
        let numbers: Vec<usize> = lines.try_iter().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 2 * WAITING - lost);
        // Behind them is what found the place of the one on its way.
        assert_eq!(numbers[..WAITING], *(0..WAITING).collect::<Vec<_>>());
        assert!(numbers.is_sorted());
    }

    #[test]
    fn a_reader_that_reads_nothing_does_not_keep_the_end() {
        let (_let_it, may) = channel();
        let (read, _lines) = sync_channel(1);
        let (mut queue, log) = to(Reader { may, read }).unwrap();
        for _ in 0..2 * WAITING {
            queue.write_all(b"line").unwrap();
        }
        let began = Instant::now();
        drop(log);
        assert!(began.elapsed() < 10 * LAST_LINES);
    }

    #[test]
    fn what_the_sink_refuses_is_lost_and_the_next_line_comes() {
        struct Picky(SyncSender<String>);
        impl Write for Picky {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                if line == b"bad" {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                let _ = self.0.send(String::from_utf8_lossy(line).into_owned());
                Ok(line.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (read, lines) = sync_channel(8);
        let (mut queue, log) = to(Picky(read)).unwrap();
        for line in ["a", "bad", "b"] {
            queue.write_all(line.as_bytes()).unwrap();
        }
        drop(log);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
