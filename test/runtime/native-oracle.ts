/** The same app run by Node itself and in a graph: what its entry exports as `result` has to be the same. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createApp, graphOf, run, type Files, type Namespace } from './module-graph-fixture.ts';

/** One test for each app. */
export function testAsInNode(cases: Readonly<Record<string, Files>>): void {
  for (const [name, files] of Object.entries(cases)) {
    test(`as in Node: ${name}`, async (t) => {
      const app = createApp(t, files);
      const actual = resultOf(await run(await graphOf(app)));
      assert.deepEqual(actual, await nativeResult(path.join(app.root, app.entry)));
    });
  }
}

/** Node's own answer; CommonJS in a process of its own, where it is the main module. */
async function nativeResult(file: string): Promise<unknown> {
  if (!file.endsWith('.cjs')) return resultOf((await import(pathToFileURL(file).href)) as Namespace);
  const wrapper = `${file}.print.cjs`;
  const exported = `require.cache[require.resolve(process.argv[1])].exports`;
  writeFileSync(
    wrapper,
    `const replacer = ${replacer.toString()}; process.on('exit', () => console.log(JSON.stringify(${exported}.result, replacer)));`,
  );
  const printed = execFileSync(process.execPath, ['--require', wrapper, file], { encoding: 'utf8' });
  return JSON.parse(printed) as unknown;
}

/** What CommonJS exports has no names before it has run, so it is looked for in its default, too. */
function resultOf(namespace: Namespace): unknown {
  const { result } = 'result' in namespace ? namespace : (namespace['default'] as Namespace);
  return JSON.parse(JSON.stringify(result, replacer)) as unknown;
}

function replacer(_: string, value: unknown) {
  return value === undefined ? '<undefined>' : value;
}
