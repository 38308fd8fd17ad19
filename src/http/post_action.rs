//! `post_action`: a request goes on elsewhere after its response.

use super::exchange::{Decision, Exchange};
use crate::directive::Text;

impl Exchange<'_> {
    /// Whether something follows the response: copies for `mirror`, `post_action`.
    pub(super) fn has_follow_up(&self) -> bool {
        !self.background.is_empty() || self.core().post_action.is_some()
    }

    /// Does what follows the response.
    pub(super) async fn follow_up(&mut self, acts: bool) {
        self.run_background().await;
        if acts {
            self.post_action().await;
        }
    }

    /// Continues the request where `post_action` of its location says. As in nginx, that location may have one, too, until the
    /// number of redirects is exhausted.
    async fn post_action(&mut self) {
        while let Some(Text(target)) = self.core().post_action.clone() {
            if self.is_post_action && self.changes_left == 0 {
                return;
            }
            self.is_post_action = true;
            let decision = match target.first() {
                Some(b'/') => Decision::Redirect { path: target, query: None },
                _ => Decision::Named(target),
            };
            self.conclude(decision).await;
        }
    }
}
