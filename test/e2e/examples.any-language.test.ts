/** Servers that are not ours, as Debian has them: each takes over from itself under load. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLoad, type LoadOptions } from '../../scripts/load/load.ts';
import { createTestApp, readRepositoryFile } from '../support/app.ts';

interface Server {
  readonly example: string;
  /** Where the version stands. */
  readonly file: string;
  /** The clients that have to notice nothing. */
  readonly clients: LoadOptions['clients'];
}

const servers: readonly Server[] = [
  { example: 'go-activation', file: 'main.go', clients: { newConnection: 3, keepAlive: 3, slow: 2 } },
  { example: 'gunicorn', file: 'app.py', clients: { newConnection: 3, keepAlive: 3, slow: 2 } },
  { example: 'puma', file: 'config.ru', clients: { newConnection: 4 } },
  { example: 'nginx', file: 'nginx.conf', clients: { newConnection: 3, keepAlive: 3 } },
];

for (const { example, file, clients } of servers) {
  test(`${example}: no request fails while a new version takes over`, async (t) => {
    const source = (name: string, port: number): string =>
      readRepositoryFile(`examples/${example}/${name}`).replaceAll('3000', String(port));
    // Where Debian has nginx, which not everybody's path leads to.
    const environment = { PATH: `${process.env['PATH']}:/usr/sbin` };
    const app = await createTestApp({ from: `examples/${example}`, files: {}, environment });
    t.after(() => app.dispose());
    const config = JSON.parse(source('midflight.config.json', app.port)) as object;
    app.commit({
      'midflight.config.json': JSON.stringify({ ...config, probationMs: 200 }),
      [file]: source(file, app.port),
    });
    await app.start();
    const load = startLoad({ origin: app.origin, clients });
    t.after(() => load.stop());
    await load.waitForVersion('1');
    app.commit({ [file]: source(file, app.port).replaceAll(/(version(?:After)?\W+)1/gi, '$12') });
    const { json } = await app.midflight('deploy', '--json');
    assert.deepEqual([json['result'], json['path']], ['committed', 'handoff'], JSON.stringify(json));
    await load.waitForVersion('2');
    await load.waitForRequests(10);
    const { failures } = await load.stop();
    assert.deepEqual(failures, [], app.log());
  });
}
