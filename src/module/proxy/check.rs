//! `proxy_pass`: the content of a location is another server's.

use std::net::IpAddr;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::{Method, StatusCode};
use rustls::pki_types::ServerName;

use super::answer::ResponseContext;
use super::attempt::{ForwardedRequest, Outgoing};
use super::bind;
use super::cache::fill;
use super::cache::lookup::{self, Found};
use super::cache::status::{CacheStatus, CacheVars};
use super::cache::zone::Entry;
use super::conf::{Current, ProxyHttpVersion};
use super::connect::{ConnectSettings, LocalAddress, TlsUse};
use super::doing::FINISHED;
use super::failure::case_of;
use super::keeper::Keeper;
use super::log;
use super::request::{self, ForCache};
use super::states::UpstreamAttempts;
use super::target::{ProxyPass, ProxyTarget};
use super::variables::ProxyVars;
use crate::config::store::Store;
use crate::http::core::conf::Current as Core;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::leaving::OnLeaving;
use crate::http::request::BodyFraming;
use crate::http::rest_of_body::RestOfBody;
use crate::http::routes::Location;
use crate::http::upstream::group::{Groups, RunningGroup};
use crate::http::upstream::peers::ServerPlace;
use crate::log::sink::Sinks;
use crate::net::dns::Dns;

/// Forwards requests.
pub struct ProxyCheck {
    keeper: Keeper,
}

impl ProxyCheck {
    /// `dns` looks up names without variables; `logs` has the files of keys.
    pub fn new(store: Arc<Store>, dns: Dns, logs: Sinks) -> ProxyCheck {
        ProxyCheck { keeper: Keeper::new(store, dns, logs) }
    }
}

/// The `proxy_pass` of a location; of a block inside that has none, the surrounding location's.
pub(super) fn pass_of(location: &Location) -> Option<&ProxyPass> {
    let own = location.get::<Current>().pass.0.as_ref();
    own.or_else(|| location.choosing.get::<Current>().pass.0.as_ref())
}

impl PhaseCheck for ProxyCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("proxy_pass")
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        Check::Later(Box::pin(async move {
            let decided = forward(&self.keeper, exchange).await;
            if decided.is_err() {
                exchange.set_on_leaving(OnLeaving::default());
            }
            // As in nginx, whatever follows.
            if decided.is_err() || (exchange.is_subrequest() && exchange.doing.is_some()) {
                exchange.doing = Some(FINISHED);
            }
            decided.unwrap_or_else(|decision| decision)
        }))
    }
}

fn internal_error() -> Decision {
    Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Forwards a request. The error is a decision, too: that about a request that is not forwarded.
async fn forward(keeper: &Keeper, exchange: &mut Exchange<'_>) -> Result<Decision, Decision> {
    let location = exchange.location.clone();
    let conf = location.get::<Current>();
    let Some(pass) = pass_of(&location) else { return Ok(Decision::Next) };
    let evaluated;
    let target = match &pass.fixed {
        Some(target) => target,
        None => {
            let url = exchange.expand(&pass.url);
            evaluated = ProxyTarget::read(&url).map_err(|reason| {
                log::invalid_url(exchange, reason, &url);
                internal_error()
            })?;
            &evaluated
        }
    };
    let mut vars = ProxyVars {
        host: target.host_header.clone(),
        port: target.port.clone(),
        changes_left: exchange.changes_left(),
        ..ProxyVars::default()
    };
    exchange.kept.insert(vars.clone());
    let body = body(exchange, conf, &mut vars).await?;
    if let Some(kept) = exchange.kept.get_mut::<ProxyVars>() {
        (kept.length, kept.is_chunked) = (vars.length, vars.is_chunked);
    }
    let attempts = match exchange.kept.get::<UpstreamAttempts>() {
        Some(attempts) => attempts.clone(),
        None => UpstreamAttempts::default(),
    };
    exchange.kept.insert(attempts.clone());
    let context = ResponseContext { conf, target: pass.fixed.as_ref() };
    exchange.kept.remove::<CacheVars>();
    let key = |exchange: &Exchange<'_>| match &conf.cache_key {
        Some(key) => exchange.expand(key),
        None => {
            let scheme: &[u8] = if target.is_encrypted { b"https://" } else { b"http://" };
            [scheme, &vars.host, &request::uri(exchange, target, pass.fixed.is_none())].concat()
        }
    };
    let answer = |exchange: &mut Exchange<'_>, entry: &Entry, status: CacheStatus| {
        exchange.kept.insert(CacheVars { status, modified: None, tag: BString::default() });
        context.decide_cached(exchange, &attempts, entry)
    };
    let mut cache = match lookup::find(&keeper.zones, &keeper.store, exchange, conf, key).await {
        Found::Unused => None,
        Found::Fetch(cache) => Some(cache),
        Found::Answer(entry, status, update) => {
            if let Some(mut update) = update {
                let cached = update.vars(conf);
                exchange.kept.insert(cached.clone());
                let uri = request::uri(exchange, target, pass.fixed.is_none());
                let for_cache = ForCache { with_get: converts_head(exchange, conf), cached: Some(&cached) };
                update.request = Some(request::head(exchange, conf, &vars, uri, for_cache));
                update.update(exchange);
            }
            return Ok(answer(exchange, &entry, status));
        }
        Found::Status(status) => {
            exchange.kept.insert(CacheVars {
                status: CacheStatus::Hit,
                modified: None,
                tag: BString::default(),
            });
            return Err(Decision::page(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)));
        }
        Found::NoZone(zone) => {
            log::cache_unknown(exchange, &zone);
            return Err(internal_error());
        }
    };
    let cache_vars = cache.as_ref().map(|cache| cache.vars(conf));
    if let Some(vars) = &cache_vars {
        exchange.kept.insert(vars.clone());
    }
    attempts.begin();
    let is_cacheable = cache.as_ref().is_some_and(|cache| cache.is_cacheable);
    // What is to be cached is fetched for others, too.
    exchange.set_on_leaving(match conf.needs_client() && !is_cacheable {
        true => OnLeaving::Ends,
        false => OnLeaving::GoesOn,
    });
    let uri = request::uri(exchange, target, pass.fixed.is_none());
    if uri.is_empty() {
        crate::http::log::about(exchange, &"zero length URI to proxy");
        return Err(internal_error());
    }
    let for_cache = ForCache {
        with_get: cache.is_some() && converts_head(exchange, conf),
        cached: cache_vars.as_ref().filter(|_| is_cacheable),
    };
    let head = match cache.as_mut().and_then(|cache| cache.request.take()) {
        Some(prepared) => prepared,
        None => request::head(exchange, conf, &vars, uri, for_cache),
    };
    let tls = match target.is_encrypted {
        true => Some(tls(keeper, exchange, conf, target).await?),
        false => None,
    };
    let (tls, number) = tls.unzip();
    let group = group(keeper, exchange, target, pass.fixed.is_none()).await?;
    let connect = ConnectSettings {
        timeout: conf.connect_timeout.duration(),
        bind: bind_of(exchange, conf),
        has_keepalive: conf.socket_keepalive,
        is_http2: conf.http_version == ProxyHttpVersion::Http2,
        tls: tls.clone(),
    };
    let job = ForwardedRequest {
        conf,
        head,
        body,
        connect,
        tls: tls.zip(number).map(|(tls, number)| format!("{number} {}", tls.name.to_str()).into_bytes()),
        scheme: if target.is_encrypted { "https://" } else { "http://" },
        attempts: attempts.clone(),
    };
    let choice = group.choice(exchange);
    let result = job.run(exchange, choice).await;
    let mut answered = match result {
        Ok(answered) => answered,
        Err(failed) => {
            let stale =
                cache.as_ref().zip(failed.case).and_then(|(cache, case)| cache.in_failure(conf, case));
            if let Some(entry) = stale {
                return Ok(answer(exchange, &entry, CacheStatus::Stale));
            }
            if let Some(cache) = cache.filter(|_| matches!(failed.status, 502 | 504)) {
                cache.keep_error(conf, failed.status, None);
            }
            return Err(failed.decision);
        }
    };
    let rest = answered.link.rest.take();
    if let Some(using) = &mut cache {
        let status = answered.head.status;
        if let Some(entry) = case_of(status).and_then(|case| using.instead_of(conf, case)) {
            context.leave(&job, answered);
            end_rest(exchange, rest);
            return Ok(answer(exchange, &entry, CacheStatus::Stale));
        }
        if status == 304
            && conf.cache_revalidate
            && let Some(entry) = using.revalidated(conf, &answered.head)
        {
            log::not_modified(exchange);
            context.leave(&job, answered);
            end_rest(exchange, rest);
            return Ok(answer(exchange, &entry, CacheStatus::Revalidated));
        }
    }
    let (mut decision, empty) = context.decide(exchange, &job, answered, cache);
    let foreign = match &mut decision {
        Decision::Done(response) => response.foreign.as_mut().filter(|foreign| foreign.tunnel.is_none()),
        _ => None,
    };
    match foreign {
        Some(foreign) => foreign.rest = rest,
        None => end_rest(exchange, rest),
    }
    if let Some(empty) = empty {
        fill::keep_empty(empty).await;
    }
    Ok(decision)
}

/// Gives up the rest of a body that was to be passed on beside the response of a backend.
fn end_rest(exchange: &mut Exchange<'_>, rest: Option<RestOfBody>) {
    if let Some(rest) = rest {
        exchange.end_rest(rest);
    }
}

/// Whether HEAD is forwarded as GET.
fn converts_head(exchange: &Exchange<'_>, conf: &Current) -> bool {
    exchange.method() == Method::HEAD && conf.cache_convert_head
}

/// The body to be forwarded: read, unless it is forwarded as it comes.
async fn body(
    exchange: &mut Exchange<'_>,
    conf: &Current,
    vars: &mut ProxyVars,
) -> Result<Outgoing, Decision> {
    // Over HTTP/2 a body without a length has no header that says so.
    let is_chunked = exchange.request.body() == BodyFraming::Chunked;
    let is_streamed = !conf.request_buffering
        && conf.set_body.is_none()
        && conf.pass_request_body
        && exchange.has_body()
        && !exchange.is_body_dropped()
        && exchange.body.is_none()
        && !exchange.is_subrequest()
        && (!is_chunked || conf.http_version != ProxyHttpVersion::Http10);
    if is_streamed {
        // As in nginx, what has come completely is sent with its length.
        if exchange.begin_body().await? {
            vars.length = exchange.body_length();
            return Ok(exchange.body.clone().map_or(Outgoing::None, Outgoing::Collected));
        }
        vars.length = exchange.body_length().filter(|_| !is_chunked);
        exchange.pass_body_on();
        vars.is_chunked = is_chunked && conf.http_version == ProxyHttpVersion::Http11;
        return Ok(Outgoing::Streamed { in_chunks: vars.is_chunked });
    }
    exchange.read_body().await?;
    if let Some(text) = &conf.set_body {
        let bytes = Bytes::from(exchange.expand(text));
        vars.length = Some(bytes.len() as u64);
        return Ok(Outgoing::Bytes(bytes));
    }
    vars.length = exchange.body_length();
    match &exchange.body {
        Some(body) if conf.pass_request_body && body.length() > 0 => Ok(Outgoing::Collected(body.clone())),
        _ => Ok(Outgoing::None),
    }
}

/// The group that a target names.
async fn group(
    keeper: &Keeper,
    exchange: &Exchange<'_>,
    target: &ProxyTarget,
    has_variables: bool,
) -> Result<Arc<RunningGroup>, Decision> {
    let bad_gateway = || Decision::page(StatusCode::BAD_GATEWAY);
    // Of the configuration with which the request began.
    let named = exchange.server.http.get::<Groups>().find(&target.host).cloned();
    let (conf, dns) = match named.filter(|_| !target.has_port) {
        Some(group) => {
            let dns = match &group.resolver {
                Some((resolver, timeout)) => keeper.resolver(resolver, *timeout),
                None => keeper.dns.clone(),
            };
            (group, dns)
        }
        None => {
            let is_name = matches!(target.group.servers[0].place, ServerPlace::Name(..));
            let core = exchange.location.get::<Core>();
            let dns = match &core.resolver {
                Some(resolver) if has_variables && is_name => {
                    keeper.resolver(resolver, core.resolver_timeout)
                }
                None if has_variables && is_name => {
                    log::no_resolver(exchange, &target.host);
                    return Err(bad_gateway());
                }
                _ => keeper.dns.clone(),
            };
            (target.group.clone(), dns)
        }
    };
    // As in nginx, what variables name has no state of its own, unless it is a group.
    let running = match has_variables && !conf.is_named {
        true => RunningGroup::new(conf, None),
        false => keeper.groups.running(&conf),
    };
    running.look_up(&dns).await.map_err(|error| {
        log::not_resolved(exchange, &target.host, &error.as_in_nginx());
        bad_gateway()
    })?;
    Ok(running)
}

/// TLS to a target, and the number of its settings.
async fn tls(
    keeper: &Keeper,
    exchange: &Exchange<'_>,
    conf: &Current,
    target: &ProxyTarget,
) -> Result<(TlsUse, u64), Decision> {
    let settings = keeper.tls(exchange, conf).await.map_err(|error| {
        log::handshake_failed(exchange, &error);
        internal_error()
    })?;
    let name = match &conf.ssl_name {
        Some(name) => exchange.expand(name),
        None => target.host.to_vec(),
    };
    // As in nginx, the name has no port.
    let name = match name.split_once_str(":") {
        Some((host, port)) if port.iter().all(u8::is_ascii_digit) => host,
        _ => &name[..],
    };
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    let parsed = bare.to_str().ok().and_then(|name| ServerName::try_from(name.to_owned()).ok());
    let name = match parsed {
        Some(name) => name,
        // Without verification it does not matter.
        None if !conf.ssl_verify => ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into()),
        None => {
            log::handshake_failed(exchange, &"the name of the server is none");
            return Err(Decision::page(StatusCode::BAD_GATEWAY));
        }
    };
    Ok((TlsUse { config: settings.config, name }, settings.number))
}

/// The local address of connections.
fn bind_of(exchange: &Exchange<'_>, conf: &Current) -> Option<LocalAddress> {
    let words = &conf.bind.as_ref()?.0;
    let text = exchange.expand(words.first()?);
    let is_transparent = words.get(1).is_some_and(|word| exchange.expand(word) == b"transparent");
    let is_off = words.len() == 1 && words[0].literal().is_some_and(|text| text == "off");
    if text.is_empty() || is_off {
        return None;
    }
    let addr = bind::read(&text);
    if addr.is_none() {
        log::invalid_bind(exchange, &text);
    }
    addr.map(|addr| LocalAddress { addr, is_transparent })
}
