import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { toServiceUnit, toSocketUnit, type UnitOptions } from '../../src/console/systemd-unit.ts';
import { parseConfig } from '../../src/release/config.ts';
import { commandLine } from '../support/app.ts';

const options: UnitOptions = {
  appDirectory: '/srv/shop',
  user: 'deploy',
  nodeFile: process.execPath,
  commandFile: commandLine,
  ref: 'HEAD',
  config: parseConfig({}, 'test'),
};
const awkward: UnitOptions = {
  ...options,
  appDirectory: '/srv/50 % of "my\\$HOME"/a shop',
  ref: 'release/50%-$x "y"',
};

test('systemd finds no fault with the units, whatever is in their paths', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-units-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const units = [
    toServiceUnit(options),
    toServiceUnit(awkward),
    toSocketUnit(options.appDirectory, ['127.0.0.1:80', '[::1]:81', ':82', 'unix:/run/50 %/x.sock']),
  ];
  const files = units.map(({ name, unit }) => {
    const file = path.join(directory, name);
    writeFileSync(file, unit);
    return file;
  });
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.deepEqual(
    units.map(({ name }) => name),
    ['shop.service', 'a-shop.service', 'shop.socket'],
  );
});

test('what systemd would expand or split is escaped', () => {
  const { unit } = toServiceUnit(awkward);
  assert.match(unit, /^WorkingDirectory=\/srv\/50 %% of "my\\\$HOME"\/a shop$/m);
  assert.match(unit, /^ExecReload=.* deploy "release\/50%%-\$\$x \\"y\\"" --wait$/m);
  assert.match(unit, /^ExecStart=.* start "release\/50%%-\$\$x \\"y\\""$/m);
  assert.throws(() => toServiceUnit({ ...options, appDirectory: '/srv/a\nb' }), {
    code: 'ERR_MIDFLIGHT_USAGE',
  });
});

test('the limits of the unit leave time for what the configuration allows', () => {
  const config = parseConfig({ drainTimeoutMs: 90_000, buildTimeoutMs: 60_000 }, 'test');
  const { unit } = toServiceUnit({ ...options, config });
  assert.match(unit, /^TimeoutStopSec=105$/m);
  assert.match(unit, /^TimeoutStartSec=395$/m);
});

test('addresses become what systemd listens on; none, a name and port 0 are refused', () => {
  const { unit } = toSocketUnit('/srv/shop', ['localhost:3000', ':3001', '0.0.0.0:3002', 'unix:/run/x']);
  const streams = [...unit.matchAll(/^ListenStream=(.*)$/gm)].map(([, stream]) => stream);
  assert.deepEqual(streams, ['127.0.0.1:3000', '3001', '0.0.0.0:3002', '/run/x']);
  assert.throws(() => toSocketUnit('/srv/shop', []), { code: 'ERR_MIDFLIGHT_USAGE' });
  for (const address of ['example.test:80', '127.0.0.1:0'])
    assert.throws(() => toSocketUnit('/srv/shop', [address]), { code: 'ERR_MIDFLIGHT_ADDRESS_INVALID' });
});
