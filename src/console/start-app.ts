/** Composes a supervisor: record, workers, deployer, control socket, signals. What it needs to outlive it, the keeper holds. */

import path from 'node:path';
import { findAccepted } from '../deploy/accepted.ts';
import { toOwnActor } from '../deploy/actor.ts';
import { createAudit } from '../deploy/audit.ts';
import { createDeployer, type Deployer } from '../deploy/deploy.ts';
import type { DeployCaller, DeployRequest } from '../deploy/deploy-request.ts';
import type { History } from '../deploy/history.ts';
import { openRecord } from '../deploy/open-record.ts';
import { createOwnSigner } from '../deploy/own-signer.ts';
import { createTrustGate } from '../deploy/trust-gate.ts';
import { TIMEOUT_MS_MAX } from '../release/config.ts';
import { toHome } from '../release/home.ts';
import type { Keeper } from '../supervisor/keeper-client.ts';
import type { Notebook } from '../supervisor/notebook.ts';
import { CUT_EXIT_CODE, toAddressText } from '../supervisor/process-host.ts';
import type { ServiceNotifier } from '../supervisor/service-notifier.ts';
import { createWorkersEnv } from '../supervisor/workers-env.ts';
import { createWorkers, type Workers } from '../supervisor/workers.ts';
import { announce, createNotifier } from './announce.ts';
import { openControlServer } from './control-server.ts';
import { watchSignals } from './signals.ts';
import type { StartSettings } from './start-keeper.ts';
import { findTerminal } from './terminal.ts';
import { createUpgrade } from './upgrade-self.ts';

export interface StartOptions {
  readonly settings: StartSettings;
  readonly keeper: Keeper;
  /** Of this Midflight. */
  readonly version: string;
  readonly log: (message: string) => void;
}

/** Why the supervisor ends: all has stopped, or another one goes on. */
export type StartOutcome =
  | { readonly type: 'stopped'; readonly exitCode: number }
  | { readonly type: 'replaced' };

/** Runs until it is stopped or replaced. Rejects where the first release can't be started. */
export async function startApp({ settings, keeper, version, log }: StartOptions): Promise<StartOutcome> {
  const { appDirectory, request } = settings;
  const home = toHome(appDirectory);
  const history = openRecord(home, log);
  const { host } = keeper;
  const workers = createWorkers(
    createWorkersEnv({ host, appDirectory, log, note: toRecording(history, keeper, log) }),
  );
  const audit = createAudit(home.auditLog, log);
  const gate = createTrustGate({ home, history, audit });
  const deployer = createDeployer({ home, workers, history, gate, audit });
  const signer = createOwnSigner(home, history, settings.signKeyFiles ?? []);
  const notifier = createNotifier({
    service: settings.service,
    log,
    // Asks the keeper, so that it is both who give the sign of life.
    checkAlive: async () => void (await host.listeners()),
  });
  const toStatus = announce(notifier, deployer, workers);
  deployer.events.on('progress', ({ step, message }) =>
    log(`${step}${message === '' ? '' : `: ${message}`}`),
  );
  const ended = Promise.withResolvers<'stopped' | 'replaced'>();
  const recovered = Promise.withResolvers<void>();
  let exitCode = 0;
  const upgrade = createUpgrade({
    keeper,
    deployer,
    workers,
    version,
    onReplaced: () => ended.resolve('replaced'),
  });
  const control = await openControlServer({
    socket: home.controlSocket,
    appName: path.basename(appDirectory),
    deployer,
    workers,
    history,
    host,
    upgrade,
    version,
    keeper: keeper.inventory,
    recovered: recovered.promise,
    audit,
    highestCounter: () => findAccepted(history, home.auditLog)?.counter ?? 0,
    onStop() {
      log('stopping: "midflight stop"');
      ended.resolve('stopped');
    },
  });
  const ignore = watchSignals({
    source: keeper.signals,
    terminal: findTerminal(),
    deploy: async (onBegin) => {
      const caller = { actor: toOwnActor('signal'), signer, onBegin };
      await deployAgain({ deployer, notifier, toStatus, request, log }, caller);
    },
    stop(why) {
      audit({ action: 'stop', actor: toOwnActor('signal'), result: 'begun', detail: why });
      log(`stopping: ${why}`);
      ended.resolve('stopped');
    },
    cut() {
      log('cutting what is in flight');
      exitCode = CUT_EXIT_CODE;
      workers.cut();
    },
  });
  let outcome: 'stopped' | 'replaced' = 'stopped';
  try {
    const notebook = keeper.inventory.notebook as Notebook | null;
    if (notebook?.isStopping === true) ended.resolve('stopped');
    const caller = { actor: toOwnActor('start'), signer };
    const serving = begin({ deployer, notebook, request, caller, onRecovered: recovered.resolve });
    notifier.extendWhile(serving);
    await Promise.race([serving, ended.promise]);
    if (workers.currentRelease() !== null) {
      await upgrade.settle();
      log(
        `serving ${toAddressText(await host.listeners()) || '(no listener)'}; pid ${keeper.inventory.keeper.pid}`,
      );
      notifier.ready(toStatus());
    }
    outcome = await ended.promise;
  } finally {
    if (outcome === 'stopped') await stop(workers, notifier);
    ignore();
    control.close();
    history.close();
    await notifier.close();
  }
  return outcome === 'stopped' ? { type: outcome, exitCode } : { type: outcome };
}

/** The notebook is lost with its keeper; the count of generations is not to be. */
function toRecording(
  history: History,
  { note }: Keeper,
  log: (message: string) => void,
): (notebook: Notebook) => void {
  let recorded = history.generationCount();
  return (notebook) => {
    note(notebook);
    const { generationCount } = notebook;
    if (generationCount <= recorded) return;
    try {
      history.setGenerationCount(generationCount);
      recorded = generationCount;
    } catch (error) {
      log(`the count of generations could not be recorded: ${String(error)}`);
    }
  };
}

interface Beginning {
  readonly deployer: Deployer;
  readonly notebook: Notebook | null;
  readonly request: DeployRequest;
  readonly caller: DeployCaller;
  onRecovered(): void;
}

async function begin({ deployer, notebook, request, caller, onRecovered }: Beginning): Promise<void> {
  const goesOn = notebook !== null && (await deployer.resume(notebook).finally(onRecovered));
  onRecovered();
  if (!goesOn && notebook?.isStopping !== true) await deployer.bootstrap(request, caller);
}

interface HangUp {
  readonly deployer: Deployer;
  readonly notifier: ServiceNotifier;
  readonly request: DeployRequest;
  toStatus(): string;
  log(message: string): void;
}

async function deployAgain(
  { deployer, notifier, toStatus, request, log }: HangUp,
  caller: DeployCaller,
): Promise<void> {
  const onWait = (holder: string): void => log(`SIGHUP: waits for its turn: ${holder}`);
  const deploying = deployer.deploy({ ...request, waitMs: TIMEOUT_MS_MAX }, { ...caller, onWait });
  notifier.reloading();
  notifier.extendWhile(deploying);
  await deploying.catch((error: unknown) => log(`SIGHUP: ${String(error)}`));
  notifier.ready(toStatus());
}

async function stop(workers: Workers, notifier: ServiceNotifier): Promise<void> {
  notifier.stopping();
  const stopping = workers.stop(workers.currentRelease()?.manifest.settings.drainTimeoutMs ?? 0);
  notifier.extendWhile(stopping);
  await stopping;
}
