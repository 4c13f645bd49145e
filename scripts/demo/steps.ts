/** What the demo deploys, and what must come of it. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandOutcome, TestApp } from '../../test/support/app.ts';

export interface Step {
  readonly title: string;
  readonly name: string;
  readonly expected: { readonly path: string; readonly result: string; readonly version: string };
  /** Changes the source, if the step is about that, and deploys. */
  run(app: TestApp): Promise<CommandOutcome>;
}

/** Of a machine that others use, too, no latencies are compared. */
export const demoConfig = { entry: 'server.ts', probationMs: 2_000, policy: { probation: 'faults' } };

/** It ends by the crash, however late that comes. */
const LONG_PROBATION_MS = 120_000;

const toVersion = (version: string): string => `export const version: string = '${version}';\n`;

export const steps: readonly Step[] = [
  {
    title: '1. A changed module',
    name: 'changed module',
    expected: { path: 'swap', result: 'committed', version: '2' },
    run(app) {
      app.commit({ 'version.ts': toVersion('2') });
      return app.midflight('deploy', '--json');
    },
  },
  {
    title: '2. A changed dependency: a newer ms in the lockfile',
    name: 'changed dependency',
    expected: { path: 'handoff', result: 'committed', version: '3' },
    run(app) {
      const args = ['install', 'ms@2.1.3', '--save-exact', '--package-lock-only', '--no-audit', '--no-fund'];
      execFileSync('npm', args, { cwd: app.directory, stdio: 'ignore' });
      app.commit({ 'version.ts': toVersion('3') });
      return app.midflight('deploy', '--json');
    },
  },
  {
    title: '3. Code that throws while it loads',
    name: 'throws while it loads',
    expected: { path: 'handoff', result: 'rejected', version: '3' },
    run(app) {
      app.commit({ 'version.ts': `${toVersion('4')}throw new Error('This version does not load');\n` });
      return app.midflight('deploy', '--json');
    },
  },
  {
    title: '4. Code that crashes a second after its first request',
    name: 'crashes a second later',
    expected: { path: 'swap', result: 'rolled-back', version: '3' },
    run(app) {
      const answering = 'const before = version;';
      const crashing = `crash ??= setTimeout(() => { throw new Error('This version does not last'); }, 1_000);`;
      const server = readFileSync(path.join(app.directory, 'server.ts'), 'utf8');
      const config = { ...demoConfig, probationMs: LONG_PROBATION_MS };
      app.commit({
        'version.ts': toVersion('5'),
        'server.ts': `${server.replace(answering, `${crashing}\n  ${answering}`)}\nlet crash: NodeJS.Timeout | undefined;\n`,
        'midflight.config.json': JSON.stringify(config),
      });
      return app.midflight('deploy', '--json');
    },
  },
  {
    title: '5. Back to the release before, by hand',
    name: 'rollback by hand',
    expected: { path: 'handoff', result: 'committed', version: '2' },
    run: (app) => app.midflight('rollback', '--json'),
  },
];
