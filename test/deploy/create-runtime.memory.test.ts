/** What swaps leave in memory. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { runApp } from './runtime-fixture.ts';

const SWAPS = 4;
/** More than any map of them takes in without giving it a shape of its own. */
const MODULES = 400;
const COLLECT_TIMEOUT_MS = 30_000;

for (const count of [1, MODULES]) {
  for (const accepts of [false, true]) {
    const subject = `an app of ${count + 2} modules${accepts ? ', with what a boundary has started' : ''}`;
    test(`no version that was replaced is held in ${subject}`, async (t) => {
      const others = Array.from({ length: count }, (_, index) => `other${index}.js`);
      const app = await runApp(t, {
        'main.js': [...others, 'subject.js'].map((name) => `import './${name}';`).join('\n'),
        ...Object.fromEntries(others.map((name) => [name, 'export {};'])),
        'subject.js': toSubject(0, accepts),
      });
      const versions = [toWeakRef(app.log())];
      for (let version = 1; version <= SWAPS; version++) {
        await app.swap({ 'subject.js': toSubject(version, accepts) });
        versions.push(toWeakRef(app.log()));
      }
      const last = versions.pop();
      await untilCollected(versions);
      assert.deepEqual(
        versions.map((version) => version.deref()),
        versions.map(() => undefined),
      );
      assert.notEqual(last?.deref(), undefined);
    });
  }
}

function toSubject(version: number, accepts: boolean): string {
  return `const state = { version: ${version} };
log(state);
export const read = () => state;
${accepts ? 'import.meta.hot.accept(read); import.meta.hot.dispose(read); setInterval(read, 1e6).unref();' : ''}
`;
}

function toWeakRef([state]: readonly unknown[]): WeakRef<object> {
  assert.ok(typeof state === 'object' && state !== null);
  return new WeakRef(state);
}

/** The generation before is retired, and let go, some turns of the event loop after the commit. */
async function untilCollected(refs: readonly WeakRef<object>[]): Promise<void> {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const deadline = performance.now() + COLLECT_TIMEOUT_MS;
  while (performance.now() < deadline && refs.some((ref) => ref.deref() !== undefined)) {
    await sleep(1);
    collect();
  }
}
