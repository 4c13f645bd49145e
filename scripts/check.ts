/** The whole gate: format, lint, types and build, then every test. Stops at the first step that fails. */

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { installDebianPackages } from './debian-packages.ts';

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Two at a time: the end-to-end tests start several processes each, and a machine may have two cores. */
const TEST_CONCURRENCY = 2;
const TEST_TIMEOUT_MS = 120_000;

const steps: readonly Step[] = [
  { name: 'format', command: 'oxfmt', args: ['--check'] },
  { name: 'build', command: 'tsc', args: ['-b', 'tsconfig.build.json'] },
  { name: 'link', command: process.execPath, args: ['scripts/link-self.ts'] },
  { name: 'types', command: 'tsc', args: ['-p', 'tsconfig.json', '--noEmit'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  {
    name: 'test',
    command: process.execPath,
    args: [
      '--test',
      `--test-concurrency=${TEST_CONCURRENCY}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      ...globSync('test/**/*.test.ts', { exclude: ['test/fixtures/**'] }).toSorted(),
    ],
  },
];

installDebianPackages([
  'git',
  'golang-go',
  'golang-github-coreos-go-systemd-dev',
  'gunicorn',
  'nginx-light',
  'puma',
  'systemd',
]);
for (const { name, command, args } of steps) {
  const startedAt = performance.now();
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`${name} failed (${error?.message ?? signal ?? `exit code ${status}`})`);
    process.exit(1);
  }
  console.log(`${name}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
}
