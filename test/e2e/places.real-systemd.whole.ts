/**
 * A real systemd, as a user's in namespaces of its own, runs the units that `midflight systemd` prints. It takes Debian's `systemd`,
 * `curl` and `procps`, and root with the right to make namespaces and to mount; `npm test` has what needs none of that: the sockets and the
 * messages in `places.systemd.test.ts`, the units in `systemd-unit.test.ts`.
 *
 *   node --test test/e2e/places.real-systemd.whole.ts
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { installDebianPackages } from '../../scripts/debian-packages.ts';
import { answerWhenTold, commandLine, createTestApp } from '../support/app.ts';

const run = promisify(execFile);
const SYSTEMD = '/lib/systemd/systemd';
const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--cgroup'];

/** A user's systemd starts only where it believes that the machine was booted by one. */
const prelude = String.raw`
mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/systemd/system
${SYSTEMD} --user --unit=basic.target > "$XDG_RUNTIME_DIR/systemd.log" 2>&1 &
systemd=$!
for try in $(seq 300); do
  systemctl --user is-system-running > /dev/null 2>&1 && break
  kill -0 $systemd 2> /dev/null || { cat "$XDG_RUNTIME_DIR/systemd.log" >&2; exit 1; }
  sleep 0.1
done
[ "$try" -lt 300 ] || { cat "$XDG_RUNTIME_DIR/systemd.log" >&2; exit 1; }
`;

const server = (version: string): string => `
require('node:http').createServer((request, response) => {
  if (request.url === '/slow') {
    require('node:fs').writeFileSync('asked', '');
    ${answerWhenTold("'whole'")}
  } else response.end('${version}');
}).listen(Number(process.env.PORT));
`;

const steps = String.raw`
fetch() { curl --silent --show-error --max-time 20 "localhost:$PORT$1" || echo "failed"; }
show() { systemctl --user show shop --property "$1" --value; }
ask() { rm -f asked answer; fetch /slow > "$XDG_RUNTIME_DIR/slow" & slow=$!; until [ -e asked ]; do sleep 0.1; done; }
answered() { touch answer; wait $slow; }
untilRestarts() { until [ "$(show NRestarts)" = "$1" ] && [ "$(show ActiveState)" = active ]; do sleep 0.1; done; }
systemctl --user start shop && echo "started, $(fetch /)"
sed -i s/one/two/ server.js && git commit --quiet --all --message two
systemctl --user reload shop && echo "reloaded, $(fetch /)"
echo 'throw new Error("three")' >> server.js && git commit --quiet --all --message three
systemctl --user reload shop 2> /dev/null || echo "not reloaded, $(fetch /)"
ask; kill -STOP "$(pgrep --full '^midflight supervisor')"; untilRestarts 1; answered
echo "hung, $(cat "$XDG_RUNTIME_DIR/slow"), $(fetch /)"
ask; kill -KILL "$(show MainPID)"; untilRestarts 2; answered
echo "killed, $(cat "$XDG_RUNTIME_DIR/slow"), $(fetch /)"
systemctl --user stop shop && systemctl --user start shop.socket
echo "by socket, $(fetch /)"
(for count in $(seq 30); do fetch /; echo; done | sort | uniq --count) > "$XDG_RUNTIME_DIR/load" & load=$!
systemctl --user restart shop; wait $load
echo "restarted, $(xargs < "$XDG_RUNTIME_DIR/load")"
systemctl --user stop shop.socket shop && echo "stopped, $(show Result), $(pgrep --full --count '^[^ ]*(node .*midflight|midflight supervisor)')"
kill $systemd
`;

installDebianPackages(['systemd', 'curl', 'procps']);

test('systemd starts, reloads, watches, restarts and stops the app; no request fails', async (t) => {
  const app = await createTestApp({
    files: { 'server.js': server('one'), 'package.json': '{ "name": "shop", "main": "server.js" }' },
    config: { probationMs: 100 },
  });
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-systemd-'));
  t.after(async () => {
    await app.dispose();
    rmSync(directory, { recursive: true });
  });
  const units = path.join(directory, 'home/.config/systemd/user');
  mkdirSync(units, { recursive: true });
  const { stdout: service } = await app.midflight('systemd');
  const { stdout: socket } = await app.midflight('systemd', '--socket', `[::]:${app.port}`);
  const environment = `Environment=PORT=${app.port}`;
  const unit = service.replace(/^WatchdogSec=.*$/m, `WatchdogSec=1\n${environment}`);
  writeFileSync(path.join(units, 'shop.service'), unit);
  writeFileSync(path.join(units, 'shop.socket'), socket);
  const env = {
    ...process.env,
    HOME: path.join(directory, 'home'),
    XDG_RUNTIME_DIR: directory,
    PORT: String(app.port),
    MIDFLIGHT: commandLine,
    ...Object.fromEntries(
      ['AUTHOR', 'COMMITTER'].flatMap((who) => [
        [`GIT_${who}_NAME`, 'Test'],
        [`GIT_${who}_EMAIL`, 'test@example.test'],
      ]),
    ),
  };
  const script = prelude + steps;
  const options = { cwd: app.directory, env, timeout: 110_000 };
  const { stdout } = await run('unshare', [...namespaces, 'bash', '-uc', script], options);
  assert.deepEqual(stdout.trim().split('\n'), [
    'started, one',
    'reloaded, two',
    'not reloaded, two',
    'hung, whole, two',
    'killed, whole, two',
    'by socket, two',
    'restarted, 30 two',
    'stopped, success, 0',
  ]);
});
