//! The console of the built-in configuration in Chromium.

mod support;

use std::fs;

use support::burnt::{BurntFeed, READER};
use support::chromium::{Chromium, Page};
use support::server::{Prefix, Server, free_port};

const CONF: &str = include_str!("../conf/pingosd.conf");

/// The widths of a phone, a tablet and a screen.
const WIDTHS: [(u32, u32); 3] = [(360, 740), (820, 1100), (1440, 900)];
const VIEWS: [&str; 4] = ["streams", "relays", "callbacks", "configuration"];

/// The built-in configuration on other ports, with one location more: a console without `control`.
fn start() -> Server {
    let (rtmp, http) = (free_port(), free_port());
    let text = CONF
        .replace("1935", &rtmp.to_string())
        .replace("8080", &http.to_string())
        .replace("error_log stderr notice;", "error_log logs/error.log notice;")
        .replace(
            "location /snapshot {",
            "location /plain/ { rtmp_console flv=/live; }\n location /snapshot {",
        );
    Server::start_text(Prefix::new(), rtmp, http, &text)
}

/// Opens the console, and waits until it has figures.
fn open<'b>(chromium: &'b Chromium, server: &Server) -> Page<'b> {
    let page = chromium.page(1440, 900);
    page.open(&format!("http://127.0.0.1:{}/", server.http));
    page.wait("document.querySelector('#state').textContent === 'live'");
    page
}

fn own_host(server: &Server) -> String {
    format!("127.0.0.1:{}", server.http)
}

/// Waits until the picture of the player moves: the time that stands in it goes on.
#[track_caller]
fn wait_moving(page: &Page<'_>) {
    page.value(READER);
    page.value("window.burntFirst = null");
    page.wait(
        "(() => {
            const now = burntTime(document.querySelector('video'));
            if (now !== null) window.burntFirst ??= now;
            return now !== null && now !== window.burntFirst;
        })()",
    );
}

/// Presses the button with this text.
#[track_caller]
fn press(page: &Page<'_>, text: &str) {
    page.wait(&format!(
        "(() => {{
            const fits = (button) => button.textContent === '{text}' && button.checkVisibility();
            const found = [...document.querySelectorAll('button')].find(fits);
            found?.click();
            return Boolean(found);
        }})()"
    ));
}

#[track_caller]
fn wait_no_streams(page: &Page<'_>) {
    page.wait("document.querySelectorAll('.streams tbody tr').length === 0");
}

#[test]
fn the_console_plays_and_its_figures_change() {
    let Some(chromium) = Chromium::start() else { return };
    let server = start();
    let page = open(&chromium, &server);
    wait_no_streams(&page);
    let feed = BurntFeed::start(server.rtmp, "live", "camera");
    page.wait("document.querySelector('.streams tbody tr .title').textContent === 'live/camera'");

    // By keys alone: to the stream, into it, and play.
    page.key("j");
    page.wait("document.activeElement.matches('.streams tbody tr')");
    page.key("Enter");
    page.wait("document.activeElement.matches('.detail h2')");
    page.wait("document.querySelector('.properties').innerText.includes('640 × 360')");
    page.key("p");
    wait_moving(&page);
    page.wait("document.querySelector('.choice [aria-pressed=true]').textContent === 'FLV'");

    page.value("window.figuresBefore = document.querySelector('.totals').innerText");
    page.wait("document.querySelector('.totals').innerText !== window.figuresBefore");
    page.wait("document.querySelector('.clients').innerText.includes('127.0.0.1')");
    page.wait("/[1-9][^\\n]*b\\/s/.test(document.querySelector('.clients').innerText)");

    press(&page, "HLS");
    page.wait("document.querySelector('.choice [aria-pressed=true]').textContent === 'HLS'");
    wait_moving(&page);
    page.wait("document.querySelector('.thumb').naturalWidth > 0");
    page.picture("playing");

    page.key("Escape");
    page.wait("document.querySelector('.detail').hidden");
    feed.leave();
    wait_no_streams(&page);
    page.assert_content();
    page.assert_asked_only(&[&own_host(&server)]);
}

#[test]
fn sessions_end_and_files_are_read_where_control_is_allowed() {
    let Some(chromium) = Chromium::start() else { return };
    let server = start();
    let feed = BurntFeed::start(server.rtmp, "live", "camera");
    let page = open(&chromium, &server);
    page.key("5");
    page.wait("document.querySelector('.lines').innerText.includes('rtmp_console flv=/live')");
    page.wait("document.querySelector('.card > .code').textContent.includes('change no directive')");

    let conf = server.prefix().conf();
    let changed = fs::read_to_string(&conf).unwrap().replace("cache_time 3s;", "cache_time 2s;");
    fs::write(&conf, changed).unwrap();
    page.wait("document.querySelector('.badge').textContent === 'The files have changed.'");
    press(&page, "Compare");
    page.wait("document.querySelector('.card > .code').textContent.includes('cache_time')");
    press(&page, "Reload");
    page.wait("document.querySelector('#toast').classList.contains('shown')");
    page.wait("document.querySelector('.lines').innerText.includes('cache_time 2s')");
    press(&page, "Roll back");
    page.wait("document.querySelector('dialog').open");
    page.key("Enter");
    page.wait("document.querySelector('.lines').innerText.includes('cache_time 3s')");

    page.key("1");
    page.wait("document.querySelector('.streams tbody tr')");
    page.key("j");
    page.key("Enter");
    press(&page, "Drop all");
    page.wait("document.querySelector('dialog').open");
    page.key("Escape");
    page.wait("!document.querySelector('dialog').open && document.querySelector('.streams tbody tr')");
    press(&page, "Drop all");
    page.wait("document.querySelector('dialog').open");
    page.key("Enter");
    wait_no_streams(&page);
    drop(feed);
    page.assert_content();

    let _feed = BurntFeed::start(server.rtmp, "live", "camera");
    let plain = chromium.page(1440, 900);
    plain.open(&format!("http://127.0.0.1:{}/plain/#configuration", server.http));
    plain.wait("document.querySelector('main').innerText.includes('Generation')");
    let buttons = "[...document.querySelectorAll('button')].map((button) => button.textContent)";
    for word in ["Reload", "Roll back", "Compare"] {
        assert_eq!(plain.value(&format!("{buttons}.includes('{word}')")), false, "{word}");
    }
    plain.key("1");
    plain.wait("document.querySelector('.streams tbody tr')");
    plain.key("j");
    plain.key("Enter");
    plain.wait("document.querySelector('.clients tbody tr')");
    assert_eq!(plain.value(&format!("{buttons}.includes('Drop all')")), false);
    assert_eq!(plain.value("document.querySelectorAll('.drop').length"), 0);
    plain.assert_content();
}

#[test]
fn another_host_sees_the_player_only() {
    let Some(chromium) = Chromium::start() else { return };
    let server = start();
    let _feed = BurntFeed::start(server.rtmp, "live", "camera");
    let page = chromium.page(1440, 900);
    let host = format!("player.test:{}", server.http);
    page.open(&format!("http://{host}/"));
    page.wait("document.querySelector('form.ask')");
    assert_eq!(page.value("document.querySelector('#tabs').hidden"), true);
    assert_eq!(page.value("document.querySelector('.totals')"), serde_json::Value::Null);
    for document in ["events", "conf.json", "plan.json"] {
        let status = format!("fetch('{document}').then((response) => response.status)");
        assert_eq!(page.value(&status), 403, "{document}");
    }
    // It was the test that asked for those.
    let asked = page.report().errors.len();
    // The field for the name has the focus.
    for letter in "camera".chars() {
        page.key(&letter.to_string());
    }
    page.key("Enter");
    wait_moving(&page);
    for (width, height) in WIDTHS {
        page.size(width, height);
        assert_no_scrolling(&page, &format!("player at {width}"));
        page.picture(&format!("player-{width}"));
    }
    assert_eq!(page.report().errors.split_off(asked), Vec::<String>::new());
    page.assert_asked_only(&[&host]);
}

#[test]
fn nothing_is_wider_than_the_page() {
    let Some(chromium) = Chromium::start() else { return };
    let server = start();
    let long = "a-stream-whose-name-is-much-longer-than-others-".repeat(4);
    let _feeds = ["camera", &long, "studio"].map(|name| BurntFeed::start(server.rtmp, "live", name));
    let page = open(&chromium, &server);
    page.wait("document.querySelectorAll('.streams tbody tr').length === 3");
    for (width, height) in WIDTHS {
        page.size(width, height);
        for theme in ["light", "dark"] {
            page.dark(theme == "dark");
            for view in VIEWS {
                page.value(&format!("location.hash = '{view}'"));
                page.wait(&format!("document.querySelector('nav [aria-current]').hash === '#{view}'"));
                assert_no_scrolling(&page, &format!("{view} at {width}"));
                page.picture(&format!("{view}-{width}-{theme}"));
            }
            page.value("location.hash = 'streams'");
            page.wait("document.querySelector('.streams tbody tr')?.checkVisibility()");
            page.value("document.querySelector('.streams tbody tr').click()");
            page.wait("document.querySelector('.clients tbody tr')");
            assert_no_scrolling(&page, &format!("a stream at {width}"));
            page.picture(&format!("stream-{width}-{theme}"));
            press(&page, "✕");
        }
    }
    page.assert_content();
}

#[track_caller]
fn assert_no_scrolling(page: &Page<'_>, what: &str) {
    let wide = "(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth > clientWidth ? `${scrollWidth} > ${clientWidth}` : null;
    })()";
    assert_eq!(page.value(wide), serde_json::Value::Null, "{what}");
}
