/** docs/guide/systemd.md, done step by step. No systemd runs here: a stand-in for systemctl does what the printed units say. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { commandLine, findFreePort } from '../support/app.ts';
import { createNotifyReceiver } from '../support/notify-receiver.ts';
import { readText } from './markdown.ts';

const page = 'docs/guide/systemd.md';
const run = promisify(execFile);

/** `start` is what `systemctl start` and `enable --now` do, until the service is ready or, with sockets, is there to be started. */
const systemctl = String.raw`#!/bin/bash
set -eu
cd "$UNITS"
line() { sed -n "s/^$1=//p" shop.service; }
start() {
  cd "$(line WorkingDirectory)"
  local sockets=() stream
  if [ -e "$UNITS/held" ]; then
    for stream in $(sed -n 's/^ListenStream=//p' "$UNITS/shop.socket"); do sockets+=(-l "$stream"); done
    set -- systemd-socket-activate "\${sockets[@]}" -E NOTIFY_SOCKET -E WATCHDOG_USEC
  else set --; fi
  : > "$UNITS/journal"
  export NOTIFY_SOCKET="$TOLD" WATCHDOG_USEC=30000000
  setsid "$@" $(cd "$UNITS"; line ExecStart) > "$UNITS/journal" 2>&1 < /dev/null &
  echo $! > "$UNITS/pid"
  until grep -q "midflight serving\|Listening on" "$UNITS/journal"; do
    kill -0 "$(cat "$UNITS/pid")" || { cat "$UNITS/journal" >&2; exit 1; }
    sleep 0.05
  done
}
stop() {
  [ -e pid ] || return 0
  kill -TERM "$(cat pid)"
  while kill -0 "$(cat pid)" 2> /dev/null; do sleep 0.05; done
  rm pid
}
case "$*" in
  daemon-reload) systemd-analyze verify --man=no shop.* ;;
  'enable --now shop') start ;;
  'enable --now shop.socket') touch held; start ;;
  'reload shop') command=$(line ExecReload); cd "$(line WorkingDirectory)"; $command > /dev/null 2>&1 ;;
  'restart shop') stop; start ;;
  'stop shop') stop ;;
  *) echo "systemctl $*?" >&2; exit 1 ;;
esac
`.replaceAll(String.raw`\$`, '$');

test(`what ${page} tells to do comes to what it says`, async (t) => {
  const directory = mkdtempSync(path.join(realpathSync(tmpdir()), 'midflight-guide-'));
  const units = path.join(directory, 'units');
  const tools = path.join(directory, 'tools');
  for (const made of [units, tools]) mkdirSync(made);
  symlinkSync(commandLine, path.join(tools, 'midflight'));
  for (const [name, text] of Object.entries({ systemctl, sudo: '#!/bin/sh\nexec "$@"\n' })) {
    writeFileSync(path.join(tools, name), text);
    chmodSync(path.join(tools, name), 0o755);
  }
  const port = String(await findFreePort());
  const told = `@midflight-guide-${process.pid}`;
  const receiver = await createNotifyReceiver(t, told);
  const identity = ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, 'Test'],
    [`GIT_${who}_EMAIL`, 'test@example.test'],
  ]);
  const env = {
    ...process.env,
    ...(Object.fromEntries(identity) as Record<string, string>),
    PATH: `${tools}:${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    UNITS: units,
    TOLD: told,
  };
  t.after(async () => {
    await run('systemctl', ['stop', 'shop'], { env });
    rmSync(directory, { recursive: true });
  });
  const steps = [...readText(page).matchAll(/^```sh\n(.*?)^```\n(?:\n^```text\n(.*?)^```)?/gms)];
  assert.ok(steps.length >= 6);
  let cwd = directory;
  for (const [, commands = '', output = ''] of steps) {
    const script = commands.replaceAll('3000', port).replaceAll('/etc/systemd/system', units);
    const { stdout } = await run('bash', ['--norc', '-euc', script], { cwd, env });
    assert.equal(stdout, output, commands);
    if (commands.includes('cd shop')) cwd = path.join(directory, 'shop');
  }
  for (const message of [/READY=1/, /WATCHDOG=1/, /STOPPING=1/]) await receiver.waitFor(message);
});
