//! Answers requests for MP4 files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use http::StatusCode;

use super::conf::Current;
use super::log;
use super::seek::{Mp4Error, Mp4Part, Part};
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::files::OpenFile;
use crate::http::response::{Body, Piece};
use crate::http::routes::Location;
use crate::media::variables::query_argument;
use crate::task::disk::{self, DiskWork};

/// Answers in locations with `mp4`.
pub struct Mp4Check;

impl PhaseCheck for Mp4Check {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("mp4")
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        match exchange.part_request() {
            Some(decision) => Check::Now(decision),
            None => Check::Later(Box::pin(serve(exchange))),
        }
    }
}

async fn serve(exchange: &mut Exchange<'_>) -> Decision {
    let (path, file) = match exchange.requested_file().await {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    let mut response = exchange.file_response(&file);
    let conf = exchange.location.get::<Current>();
    let argument = |name: &[u8]| Some(query_argument(exchange.query(), name)).filter(|text| !text.is_empty());
    let part = Part::parse(argument(b"start"), argument(b"end"), conf.mp4_start_key_frame);
    if let Some(part) = part {
        let most = conf.mp4_buffer_size.0.max(conf.mp4_max_buffer_size.0);
        response.has_single_range = true;
        match cut(&file, part, most).await {
            Ok(None) => {}
            Ok(Some(Mp4Part { head, data })) => {
                let data = file.part(data.start, data.end - data.start);
                response.body = Body::Pieces([Piece::Memory(head.into())].into_iter().chain(data).collect());
                exchange.tag_part(&mut response, &file);
            }
            Err(error) => {
                log::cut_failed(exchange, &path, &error);
                return Decision::page(StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
    }
    exchange.doing = Some("sending mp4 to client");
    Decision::Done(Box::new(response))
}

/// Makes a part of a file on a thread that may wait for the disk; `None` if the file is sent as it is.
async fn cut(file: &OpenFile, part: Part, most: u64) -> Result<Option<Mp4Part>, Mp4Error> {
    let (Some(file), size) = (file.file.clone(), file.size) else { return Ok(None) };
    let cutting = disk::spawn(DiskWork::Served, move || {
        Mp4Part::cut(&mut Reader { file: &file, at: 0 }, size, &part, most)
    });
    cutting.await.map_err(|_| Mp4Error::Read(io::ErrorKind::Other))?
}

/// Reads an open file at a position of its own: other requests may use the same descriptor.
struct Reader<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(distance) => self.at.saturating_add_signed(distance),
            SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(self.at)
    }
}
