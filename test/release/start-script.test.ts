/** What a start script says, as people write them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStartScript, type StartScript } from '../../src/release/start-script.ts';

const plain: StartScript = { environment: {}, nodeOptions: [], entry: 'server.js', args: [] };

const scripts: readonly (readonly [string, Partial<StartScript> | null])[] = [
  ['node server.js', {}],
  ['node ./bin/www', { entry: './bin/www' }],
  ['node .', { entry: '.' }],
  ['NODE_ENV=production node server.js', { environment: { NODE_ENV: 'production' } }],
  [
    'cross-env NODE_ENV=production PORT=1 node server.js',
    { environment: { NODE_ENV: 'production', PORT: '1' } },
  ],
  [`GREETING='hello there' node server.js`, { environment: { GREETING: 'hello there' } }],
  ['node --max-old-space-size=400 server.js', { nodeOptions: ['--max-old-space-size=400'] }],
  ['node --env-file .env server.js', { nodeOptions: ['--env-file=.env'] }],
  ['node -r dotenv/config server.js', { nodeOptions: ['-r', 'dotenv/config'] }],
  [
    'node --import ./trace.js server.js --port 3000',
    { nodeOptions: ['--import=./trace.js'], args: ['--port', '3000'] },
  ],
  ['node --watch server.js', {}],
  ['npm run build && node dist/server.js', { entry: 'dist/server.js' }],
  ['tsx src/index.ts', { entry: 'src/index.ts' }],
  ['tsx watch src/index.ts', { entry: 'src/index.ts' }],
  ['npx ts-node --transpile-only src/index.ts', { entry: 'src/index.ts' }],
  ['nodemon server.js', {}],
  ['/usr/bin/node server.js', {}],
  ['next start', null],
  ['fastify start -l info app.js', null],
  ['node', null],
  ['', null],
];

for (const [script, expected] of scripts) {
  test(`"${script}" ${expected === null ? 'names no file for Node' : 'is understood'}`, () => {
    assert.deepEqual(parseStartScript(script), expected === null ? null : { ...plain, ...expected });
  });
}
