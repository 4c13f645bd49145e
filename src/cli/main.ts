/**
 * The command line: one file a verb, each of them only reads options, calls what does the work, and prints.
 * What builds or supervises is imported by the verbs that need it, so that the others answer at once.
 */

import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { MidflightError } from '../errors.ts';
import { reportFailure } from './output.ts';
import { addAudit } from './audit.ts';
import { addBackup } from './backup.ts';
import { addBisect } from './bisect.ts';
import { addBundle } from './bundle.ts';
import { addDeploy } from './deploy.ts';
import { addDev } from './dev.ts';
import { addGc } from './gc.ts';
import { addHistory } from './history.ts';
import { addInit } from './init.ts';
import { addKeygen } from './keygen.ts';
import { addPin } from './pin.ts';
import { addPlan } from './plan.ts';
import { addRollback } from './rollback.ts';
import { addRun } from './run.ts';
import { addScale } from './scale.ts';
import { addSign } from './sign.ts';
import { addStart } from './start.ts';
import { addStatus } from './status.ts';
import { addStop } from './stop.ts';
import { addSystemd } from './systemd.ts';
import { addTrust } from './trust.ts';
import { addUpgradeSelf } from './upgrade-self.ts';
import { addVerify } from './verify.ts';

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

for (const add of [
  addRun,
  addDev,
  addStart,
  addDeploy,
  addPlan,
  addBundle,
  addRollback,
  addBisect,
  addScale,
  addStatus,
  addHistory,
  addVerify,
  addPin,
  addGc,
  addBackup,
  addStop,
  addUpgradeSelf,
  addKeygen,
  addTrust,
  addSign,
  addAudit,
  addInit,
  addSystemd,
])
  add(program);

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
