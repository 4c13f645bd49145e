/**
 * The command line: one file a verb, each of them only reads options, calls what does the work, and prints.
 * A verb is imported when it is asked for, and what builds or supervises when it is needed, so that they answer at once.
 */

import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { MidflightError } from '../errors.ts';
import { reportFailure } from './output.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const isJson = process.argv.includes('--json');

const program = new Command('midflight')
  .description('Deploys new code into a running service without stopping it.')
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError(isJson ? false : '"midflight --help", and "midflight <verb> --help", say what there is')
  .configureOutput({ outputError: (text, write) => (isJson ? undefined : write(text)) })
  .exitOverride();

/** In the order of the help. */
const verbs: Readonly<Record<string, () => Promise<(to: Command) => void>>> = {
  run: async () => (await import('./run.ts')).addRun,
  dev: async () => (await import('./dev.ts')).addDev,
  start: async () => (await import('./start.ts')).addStart,
  deploy: async () => (await import('./deploy.ts')).addDeploy,
  plan: async () => (await import('./plan.ts')).addPlan,
  bundle: async () => (await import('./bundle.ts')).addBundle,
  rollback: async () => (await import('./rollback.ts')).addRollback,
  bisect: async () => (await import('./bisect.ts')).addBisect,
  scale: async () => (await import('./scale.ts')).addScale,
  status: async () => (await import('./status.ts')).addStatus,
  history: async () => (await import('./history.ts')).addHistory,
  logs: async () => (await import('./logs.ts')).addLogs,
  verify: async () => (await import('./verify.ts')).addVerify,
  pin: async () => (await import('./pin.ts')).addPin,
  gc: async () => (await import('./gc.ts')).addGc,
  backup: async () => (await import('./backup.ts')).addBackup,
  stop: async () => (await import('./stop.ts')).addStop,
  'upgrade-self': async () => (await import('./upgrade-self.ts')).addUpgradeSelf,
  keygen: async () => (await import('./keygen.ts')).addKeygen,
  trust: async () => (await import('./trust.ts')).addTrust,
  sign: async () => (await import('./sign.ts')).addSign,
  plugin: async () => (await import('./plugin.ts')).addPlugin,
  audit: async () => (await import('./audit.ts')).addAudit,
  init: async () => (await import('./init.ts')).addInit,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  systemd: async () => (await import('./systemd.ts')).addSystemd,
};

/** The verb that is asked for, and for help or what is misspelled, all. */
const [asked = ''] = process.argv.slice(2);
for (const load of Object.hasOwn(verbs, asked) ? [verbs[asked]] : Object.values(verbs))
  (await load?.())?.(program);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader, such as `head`, has seen enough.
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) reportFailure(error, isJson);
  // commander has printed its own usage errors, and help, already.
  else if (!isJson || error.exitCode === 0) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else
    reportFailure(new MidflightError('ERR_MIDFLIGHT_USAGE', [error.message.replace(/^error: /, '')]), isJson);
}
