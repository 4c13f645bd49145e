/** The programs in docs/reference/state.md, deployed one after the other in one process, print what the page says. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { MidflightError } from '../../src/errors.ts';
import * as midflight from '../../src/index.ts';
import { change, createApp, graphOf, run } from '../runtime/module-graph-fixture.ts';
import { createDeploys, type Deploys } from '../runtime/state-fixture.ts';
import { readText } from './markdown.ts';

const page = 'docs/reference/state.md';
const sections = readText(page).split(/^(?=## )/m);
const pairs = /^```ts\n(.*?)^```\n\n^```text\n(.*?)^```/gms;

for (const section of sections) {
  const programs = [...section.matchAll(pairs)].map(([, program = '', output = '']) => ({ program, output }));
  if (programs.length === 0) continue;
  const [heading = ''] = section.split('\n');
  test(`the programs of "${heading.slice(3)}" do what ${page} says`, async (t) => {
    const deploys = createDeploys();
    for (const { program, output } of programs) {
      assert.equal(await deploy(t, deploys, program), output);
    }
  });
}

test(`every program of ${page} is run`, () => {
  const count = readText(page).matchAll(/^import \{ state \} from 'midflight';$/gm);
  assert.equal([...count].length, [...readText(page).matchAll(pairs)].length);
});

/** Deploys a release of `main.ts`; what it printed, or how it was refused. */
async function deploy(
  t: TestContext,
  { prepare, commit, registry }: Deploys,
  program: string,
): Promise<string> {
  const app = createApp(t, { 'main.ts': '' });
  change(app, { 'main.ts': program });
  let printed = '';
  const log = t.mock.method(console, 'log', (...values: unknown[]) => {
    printed += `${values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ')}\n`;
  });
  const generation = prepare();
  try {
    const graph = await graphOf(app, { midflightExports: { '': midflight } });
    const main = { kind: 'module', path: 'main.ts' } as const;
    await generation.evaluate(async () => run(graph), main);
    commit(generation);
  } catch (error) {
    registry.abort(generation.scope);
    if (!(error instanceof MidflightError)) throw error;
    return `${error.code}: ${error.message.replaceAll(path.join(app.root, path.sep), '/srv/app/')}\n`;
  } finally {
    log.mock.restore();
  }
  return printed;
}
