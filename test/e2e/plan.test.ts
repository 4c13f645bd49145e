/** What a plan shows, and that nothing else is applied. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { PlannedDeploy } from '../../src/deploy/plan-deploy.ts';
import { createTestApp, type TestApp } from '../support/app.ts';

const server = `import http from 'node:http';
import { greet } from './greet.ts';
http.createServer((_, response) => response.end(String(greet('you')))).listen(Number(process.env.PORT), '127.0.0.1');
`;
const greet = (result: string): string =>
  `export function greet(name: string) { return ${result}; }\nimport.meta.hot?.accept();\n`;
const files = {
  'server.ts': server,
  'greet.ts': greet('name + 1'),
  'package.json': '{ "type": "module" }',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      allowImportingTsExtensions: true,
      noEmit: true,
      types: [],
    },
  }),
};
const config = { entry: 'server.ts', probationMs: 0 };

async function startApp(t: TestContext): Promise<TestApp> {
  const app = await createTestApp({ files, config, linkPackages: true });
  t.after(app.dispose);
  await app.start();
  return app;
}

async function plan(app: TestApp): Promise<PlannedDeploy & { readonly exitCode: number | null }> {
  const { json, exitCode } = await app.midflight('plan', '--json');
  return { ...(json as unknown as PlannedDeploy), exitCode };
}

test('the plan that was shown is applied by its id, and refused with what moved once it is another', async (t) => {
  const app = await startApp(t);
  app.commit({ 'greet.ts': greet("'two ' + name") });
  const shown = await plan(app);
  assert.deepEqual([shown.path, shown.exitCode], ['swap', 0]);
  const applied = await app.midflight('deploy', '--plan', shown.id, '--json');
  assert.equal(applied.json['result'], 'committed', applied.stdout);
  assert.equal(await app.get(), 'two you');

  const again = await app.midflight('deploy', '--plan', shown.id);
  assert.equal(again.exitCode, 3);
  assert.match(
    again.stdout,
    /is no longer plan [0-9a-f]{32}: \S+ runs now, and \S+ did; the path is none, and was swap/,
  );
  app.commit({ 'greet.ts': greet("'three ' + name") });
  const { id } = await plan(app);
  app.commit({ 'greet.ts': greet("'four ' + name"), 'page.html': 'new' });
  const moved = await app.midflight('deploy', '--plan', id);
  assert.match(
    moved.stdout,
    /the new release has other greet\.ts, page\.html; the reasons are: MF1001 .*MF1002/,
  );
  const unknown = await app.midflight('deploy', '--plan', '0'.repeat(32));
  assert.match(unknown.stdout, /no plan of that id was shown here/);
  assert.equal(await app.get(), 'two you');
});

test('a type that importers which stay can not take is rejected, and a handoff where the policy allows it', async (t) => {
  const app = await startApp(t);
  app.commit({ 'greet.ts': greet('name.length') });
  const { path, exitCode, reasons, modules } = await plan(app);
  assert.deepEqual([path, exitCode], ['rejected', 3]);
  assert.match(
    reasons.at(-1)?.message ?? '',
    /can't take the new "greet": .*Type 'number' is not assignable to type 'string'/s,
  );
  assert.deepEqual(
    modules.map((module) => [module.path, module.isInPlace]),
    [['greet.ts', true]],
  );
  const rejected = await app.midflight('deploy');
  assert.equal(rejected.exitCode, 3);
  assert.match(rejected.stdout, /✓ types .* of what is replaced in place: greet\.ts\n/);
  assert.match(rejected.stdout, /MF3002 greet\.ts is replaced in place.*\n.*give "greet" a type/s);
  assert.equal(await app.get(), 'you1');

  app.commit({ 'midflight.config.json': JSON.stringify({ ...config, policy: { allow: ['MF3002'] } }) });
  const { json } = await app.midflight('deploy', '--json');
  assert.deepEqual([json['path'], json['result']], ['handoff', 'committed']);
  assert.equal(await app.get(), '3');
  // A rollback is held up by no types.
  const back = await app.midflight('rollback', '--json');
  assert.deepEqual([back.json['path'], back.json['result']], ['handoff', 'committed']);
});

test('a plan is text without colours where nobody sees them, and Markdown for a pull request; one that a type check rejects is not applied', async (t) => {
  const app = await startApp(t);
  app.commit({ 'greet.ts': `setInterval(() => undefined, 9_000).unref();\n${greet('name + 2')}` });
  const { stdout, exitCode } = await app.midflight('plan');
  assert.equal(exitCode, 0);
  assert.ok(!stdout.includes('\u001B'));
  assert.match(stdout, /^swap {2}commit [0-9a-f]{9}, over /);
  assert.match(stdout, / {2}changed {2}greet\.ts, replaced in place\n/);
  assert.match(stdout, /MF5002 {2}timers or listeners .*: setInterval \(greet\.ts:1\)\n +→ nothing, where/);
  assert.match(stdout, /apply it: midflight deploy --plan [0-9a-f]{32}\n$/);
  const markdown = await app.midflight('plan', '--markdown');
  assert.match(markdown.stdout, /^## Midflight plan: swap\n/);
  assert.match(markdown.stdout, /\| `greet\.ts` \| changed, in place \| its code differs \|/);

  app.commit({
    'midflight.config.json': JSON.stringify({ ...config, typecheck: true }),
    'greet.ts': greet("(name satisfies number) + 'x'"),
  });
  const rejected = await app.midflight('deploy');
  assert.equal(rejected.exitCode, 3);
  assert.match(rejected.stdout, /"tsc --noEmit" failed:\n.*greet\.ts:1:\d+ TS\d+: Type 'string'/);
  const report = await app.midflight('deploy', '--json');
  assert.deepEqual((report.json['error'] as { code: string }).code, 'ERR_MIDFLIGHT_TYPES_WRONG');
  assert.equal(await app.get(), 'you1');
});
