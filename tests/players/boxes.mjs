// Reads a file with mp4box.js: `node boxes.mjs SCRIPT FILE` prints tracks, their samples, and everything that mp4box.js has said.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [script, path] = process.argv.slice(2);
const said = [];
// It says so of every second segment type, whoever has written them.
const isKnown = (text) => text.includes("Found multiple boxes of type styp");
for (const name of ["error", "warn", "info", "log", "debug"]) {
  console[name] = (...words) => {
    const text = `${name} ${words.join(" ")}`;
    if (!isKnown(text)) said.push(text);
  };
}
const { createFile, Log } = await import(pathToFileURL(script));
Log.setLogLevel(Log.warn);

const file = createFile(true);
file.onError = (...words) => said.push(`error ${words.join(" ")}`);
const tracks = new Map();
file.onReady = (info) => {
  for (const { id, codec, timescale } of info.tracks) {
    tracks.set(id, { codec, timescale, samples: 0, end: 0 });
    file.setExtractionOptions(id, null, { nbSamples: 1 });
  }
  file.start();
};
file.onSamples = (id, _, samples) => {
  const track = tracks.get(id);
  for (const sample of samples) {
    // Decoding times go on from where the sample before ended.
    if (track.samples > 0 && sample.dts < track.end) said.push(`track ${id}: ${sample.dts} after ${track.end}`);
    track.end = sample.dts + sample.duration;
    track.samples += 1;
  }
};
const { buffer } = new Uint8Array(readFileSync(path));
buffer.fileStart = 0;
file.appendBuffer(buffer);
file.flush();
process.stdout.write(JSON.stringify({ tracks: [...tracks.values()], said }));
