//! Signals that the server obeys.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

const OBEYED: [Number; 7] = [
    Number::SIGTERM,
    Number::SIGINT,
    Number::SIGQUIT,
    Number::SIGHUP,
    Number::SIGUSR1,
    Number::SIGUSR2,
    Number::SIGWINCH,
];

/// Blocks the signals of this thread, and of a process that it forks, until [`Signals`] are received: otherwise a signal that
/// follows the first connection at once would end the process in the middle of its start.
pub(super) struct BlockedSignals(SigSet);

impl BlockedSignals {
    pub(super) fn block() -> io::Result<Self> {
        let obeyed: SigSet = OBEYED.into_iter().collect();
        Ok(BlockedSignals(obeyed.thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // It fails only for a mask that is none.
        let _ = self.0.thread_set_mask();
    }
}

/// Received signals. Each waits until it is read.
pub(super) struct Signals {
    pub(super) term: Signal,
    pub(super) int: Signal,
    pub(super) quit: Signal,
    pub(super) hup: Signal,
    pub(super) usr1: Signal,
    pub(super) usr2: Signal,
    pub(super) winch: Signal,
}

impl Signals {
    /// Receives the signals from now on, those among them that were blocked. To be called in the context of a runtime.
    ///
    /// # Errors
    ///
    /// A handler could not be installed.
    pub(super) fn receive(blocked: BlockedSignals) -> io::Result<Self> {
        let signals = Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
            winch: signal(SignalKind::window_change())?,
        };
        drop(blocked);
        Ok(signals)
    }
}
