//! The modules that take part in HTTP requests beside their handlers: checks of phases, filters and variables.

use std::sync::Arc;

use crate::config::model::HttpServer;
use crate::config::store::Store;
use crate::http::counters::HttpCounters;
use crate::http::exchange::{PhaseChecks, RequestVariables, ResponseFilter};
use crate::http::plan::Phase;
use crate::http::routes::resolver_of;
use crate::http::tls_variables::TlsVariables;
use crate::http::variable::HandshakeUse;
use crate::log::sink::Sinks;
use crate::media::files::stream_files::StreamFiles;
use crate::module::acme::{Answers, ChallengeCheck};
use crate::module::addition::AdditionFilter;
use crate::module::auth_request::AuthRequestCheck;
use crate::module::ban::{BanCheck, BanFileCheck, Bans};
use crate::module::browser::BrowserVariables;
use crate::module::charset::CharsetFilter;
use crate::module::dash::DashStreamFiles;
use crate::module::flv_file::FlvFileCheck;
use crate::module::gzip::{GunzipFilter, GzipRatio, GzipStaticCheck};
use crate::module::headers::HeadersFilter;
use crate::module::hls::HlsStreamFiles;
use crate::module::http_auth::AuthBasicCheck;
use crate::module::http_static::{
    AutoindexCheck, AutoindexFilter, IndexCheck, RandomIndexCheck, TryFilesCheck,
};
use crate::module::limit::{LimitConnCheck, LimitReqCheck, LimitVariables, ZoneKeeper};
use crate::module::live_record::TsStreamFiles;
use crate::module::map::{MapVariables, variables_of_handshakes};
use crate::module::mirror::MirrorCheck;
use crate::module::mp4::Mp4Check;
use crate::module::multiport::BroadcastFilter;
use crate::module::proxy::{ProxyCheck, ProxyTrailers, ProxyVariables};
use crate::module::realip::{RealIpCheck, RealIpVariables};
use crate::module::record::RecordedStreamFiles;
use crate::module::referer::InvalidReferer;
use crate::module::rewrite::{RewritePhase, ServerRewritePhase};
use crate::module::secure_link::SecureLinkVariables;
use crate::module::slice::{SliceCheck, SliceRange};
use crate::module::stub_status::StubStatusVariables;
use crate::module::sub::SubFilter;
use crate::module::trace::{TraceCheck, TraceVariables};
use crate::module::upstream::sticky::StickyFilter;
use crate::module::userid::{UserIdChoice, UserIdFilter, UserIdVariables};
use crate::net::dns::Dns;
use crate::net::tls::server::OfHttp;

/// What TLS needs of servers of HTTP.
pub(super) fn tls_of_http() -> OfHttp {
    let notes = |server: &HttpServer| server.get::<HandshakeUse>().0;
    OfHttp { resolver: resolver_of, variables: variables_of_handshakes, notes }
}

/// What looks at requests before their handler, by phase; in a phase the first that answers ends it.
pub(super) fn phases(
    store: &Arc<Store>,
    dns: &Dns,
    logs: &Sinks,
    bans: &Arc<Bans>,
    answers: Arc<Answers>,
) -> PhaseChecks {
    let zones: Arc<ZoneKeeper> = Arc::default();
    let stream_files: Arc<[Box<dyn StreamFiles>]> = Arc::new([
        Box::new(HlsStreamFiles) as _,
        Box::new(DashStreamFiles) as _,
        Box::new(RecordedStreamFiles) as _,
        Box::new(TsStreamFiles) as _,
    ]);
    PhaseChecks::default()
        .with(
            Phase::PostRead,
            [
                Box::new(ChallengeCheck(answers)),
                Box::new(RealIpCheck),
                Box::new(BanCheck(bans.clone())),
                Box::new(TraceCheck),
            ],
        )
        .with(Phase::ServerRewrite, [Box::new(ServerRewritePhase)])
        .with(Phase::Rewrite, [Box::new(SliceCheck), Box::new(RewritePhase)])
        .with(
            Phase::PreAccess,
            [
                Box::new(RealIpCheck),
                Box::new(BanCheck(bans.clone())),
                Box::new(LimitReqCheck(zones.clone())),
                Box::new(LimitConnCheck(zones)),
            ],
        )
        .with(Phase::Access, [Box::new(AuthBasicCheck), Box::new(AuthRequestCheck)])
        .with(
            Phase::PreContent,
            [
                Box::new(TryFilesCheck),
                Box::new(BanFileCheck { bans: bans.clone(), store: store.clone(), outputs: stream_files }),
                Box::new(MirrorCheck),
            ],
        )
        .with(
            Phase::Content,
            [
                // Modules that a location chooses come first.
                Box::new(ProxyCheck::new(store.clone(), dns.clone(), logs.clone())),
                Box::new(FlvFileCheck),
                Box::new(Mp4Check),
                Box::new(RandomIndexCheck),
                Box::new(IndexCheck),
                Box::new(AutoindexCheck),
                Box::new(GzipStaticCheck),
            ],
        )
}

/// What changes responses, in this order; compression follows.
pub(super) fn filters(workers: usize) -> Vec<Box<dyn ResponseFilter>> {
    vec![
        Box::new(BroadcastFilter { workers }),
        Box::new(ProxyTrailers),
        Box::<UserIdChoice>::default(),
        Box::new(HeadersFilter),
        Box::new(UserIdFilter),
        Box::new(StickyFilter),
        Box::new(GunzipFilter),
        Box::new(AdditionFilter),
        Box::new(SubFilter),
        Box::new(CharsetFilter),
        // Behind the charset filter, whose charset it reads.
        Box::new(AutoindexFilter),
    ]
}

/// What gives variables their values.
pub(super) fn variables(counters: &Arc<HttpCounters>) -> Vec<Box<dyn RequestVariables>> {
    vec![
        Box::new(MapVariables),
        Box::new(TlsVariables),
        Box::new(BrowserVariables),
        Box::new(InvalidReferer),
        Box::new(LimitVariables),
        Box::new(RealIpVariables),
        Box::new(SecureLinkVariables),
        Box::new(UserIdVariables),
        Box::new(StubStatusVariables(counters.clone())),
        Box::new(GzipRatio),
        Box::new(SliceRange),
        Box::new(TraceVariables),
        Box::new(ProxyVariables),
    ]
}
