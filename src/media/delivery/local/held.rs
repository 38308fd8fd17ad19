//! Players that are sent media from elsewhere before the stream.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::LocalStream;
use crate::media::delivery::group::WorkerTotals;
use crate::media::delivery::join::SentBeforeJoin;
use crate::media::delivery::link::PlayerLink;

impl LocalStream {
    /// Sends media from elsewhere to a player that is held.
    pub(in crate::media::delivery) fn media(
        &mut self,
        link: &Arc<PlayerLink>,
        bytes: Bytes,
        now: Instant,
        totals: &mut WorkerTotals,
    ) {
        let Some((group, index)) = self.find(link) else { return };
        self.groups[group].players[index].cursor.push_media(bytes);
        self.serve_player(group, index, now, totals);
    }

    /// Lets a player that is held begin with the stream.
    pub(in crate::media::delivery) fn begin(
        &mut self,
        link: &Arc<PlayerLink>,
        sent: Option<SentBeforeJoin>,
        now: Instant,
    ) {
        let Some((group, index)) = self.find(link) else { return };
        if !self.groups[group].players[index].cursor.is_held() {
            return;
        }
        let mut player = self.groups[group].take(index);
        let joined = self.joined(player.cursor.settings().start, sent);
        player.cursor.begin(&joined);
        if let Some(sent) = sent {
            player.cursor.continue_at(sent.next, sent.origin);
        }
        let prompt = self.prompt();
        prompt.push(player);
        prompt.schedule.hurry(now);
    }
}
