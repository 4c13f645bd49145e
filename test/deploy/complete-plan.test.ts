/** A plan of an app in a folder of a workspace, whose packages are modules too. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { completePlan } from '../../src/deploy/complete-plan.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { Manifest } from '../../src/protocol/manifest.ts';
import { buildRelease } from '../../src/release/build.ts';
import { toHome, toReleaseLocation } from '../../src/release/home.ts';
import { repository, type Files } from '../support/app.ts';

const compilerOptions = { strict: true, module: 'nodenext', target: 'es2022', types: [] };
const files: Files = {
  '.gitignore': 'node_modules\n',
  'package.json': '{ "name": "shop", "private": true, "workspaces": ["apps/*", "packages/*"] }',
  'apps/api/package.json':
    '{ "name": "api", "type": "module", "main": "server.ts", "dependencies": { "lib": "*" } }',
  'apps/api/tsconfig.json': JSON.stringify({ compilerOptions }),
  'apps/api/server.ts': `import { answer } from './routes.ts';\nconsole.log(answer());\n`,
  'apps/api/routes.ts': `import { limit } from 'lib';\nimport type { Options } from './options.ts';
export const answer = (options?: Options) => [limit(), options];\nimport.meta.hot?.accept();\n`,
  'apps/api/options.ts': 'export interface Options { port: number }\n',
  'packages/lib/package.json': '{ "name": "lib", "type": "module", "exports": "./index.ts" }',
  'packages/lib/index.ts': 'export const limit = (): number => 5;\n',
};

test('importers in place are asked whether they can take what a package of the workspace, or a file of types, has made of a module', async (t) => {
  const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-plan-')));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const write = (written: Files): void => {
    for (const [name, text] of Object.entries(written)) {
      mkdirSync(path.dirname(path.join(directory, 'shop', name)), { recursive: true });
      writeFileSync(path.join(directory, 'shop', name), text);
    }
  };
  write(files);
  const npm = ['install', '--package-lock-only', '--offline'];
  execFileSync('npm', npm, { cwd: path.join(directory, 'shop'), stdio: 'pipe' });
  execFileSync('git', ['init', '--quiet'], { cwd: path.join(directory, 'shop') });
  symlinkSync(path.join(repository, 'node_modules'), path.join(directory, 'node_modules'));
  const home = toHome(path.join(directory, 'shop/apps/api'));
  const build = async (changed: Files): Promise<Manifest> => {
    write({ ...files, ...changed });
    const { manifest } = await buildRelease({ home, ref: 'HEAD', isDirty: true, onStep: () => undefined });
    return manifest;
  };
  const current = await build({});
  const plan = async (changed: Files): Promise<Plan> => {
    const next = await build(changed);
    const input = {
      current,
      next,
      problems: [],
      policy: { path: 'auto', unswappable: new Set<string>() },
    } as const;
    const rootOf = ({ id }: Manifest): string => toReleaseLocation(home, id).root;
    const before = rootOf(current);
    return completePlan(input, { before, after: rootOf(next), cacheDirectory: home.cache });
  };
  const other = { 'packages/lib/index.ts': 'export const limit = (): string => "5";\n' };
  const byPackage = await plan(other);
  assert.deepEqual(
    byPackage.reasons.map(({ code }) => code),
    ['MF1001', 'MF3002'],
  );
  assert.match(byPackage.reasons[1]?.message ?? '', /^apps\/api\/routes\.ts is .* "answer": .*'string'/s);
  const byTypes = await plan({
    'apps/api/options.ts': 'export interface Options { port: string }\n',
    'packages/lib/index.ts': 'export const limit = (): number => 6;\n',
  });
  assert.match(
    byTypes.reasons.at(-1)?.message ?? '',
    /"answer": .*…\n.*Type 'number' is not assignable to type 'string'/s,
  );
  const fits = await plan({ 'packages/lib/index.ts': 'export const limit = (): number => 6;\n' });
  assert.deepEqual([fits.path, fits.warnings], ['swap', []]);
});
