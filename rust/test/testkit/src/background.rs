//! An asynchronous service on its own thread, stopped on drop.
use futures_lite::future;
use std::io;
use std::thread::{Builder, JoinHandle};
use tokio::sync::oneshot;

/// A thread that runs one future on its own runtime until dropped.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs `start` to completion on the new thread, returns its first value, and continues with
    /// the future it returned until this object is dropped.
    pub(crate) fn spawn<T, S, R>(name: &str, start: S) -> io::Result<(Self, T)>
    where
        T: Send + 'static,
        S: AsyncFnOnce() -> io::Result<(T, R)> + Send + 'static,
        R: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async {
                match start().await {
                    Err(error) => drop(ready.send(Err(error))),
                    Ok((value, run)) => {
                        drop(ready.send(Ok(value)));
                        future::or(run, async { drop(stopped.await) }).await;
                    }
                }
            });
        })?;
        let value = started
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the service's thread ended immediately")))?;
        let service = Self {
            stop: Some(stop),
            thread: Some(thread),
        };
        Ok((service, value))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The service's thread has already printed its panic.
            drop(thread.join());
        }
    }
}
