/** Tells the service manager what becomes of the app, and the log what the service manager is not told. */

import type { Deployer } from '../deploy/deploy.ts';
import {
  createServiceNotifier,
  silentNotifier,
  type ServiceNotifier,
} from '../supervisor/service-notifier.ts';
import type { Workers } from '../supervisor/workers.ts';

/** What the service manager wants to be told, and where. */
export interface NotifiedService {
  readonly notifySocket: string | null;
  readonly watchdogMs: number | null;
  /** Null where our pid means nothing to it: in a container, where it knows its direct child. */
  readonly mainPid: number | null;
}

export interface NotifierOptions {
  readonly service: NotifiedService;
  readonly log: (message: string) => void;
  checkAlive(): Promise<void>;
}

/** One that does nothing where no service manager wants to know. */
export function createNotifier({ service, log, checkAlive }: NotifierOptions): ServiceNotifier {
  const { notifySocket, watchdogMs, mainPid } = service;
  if (notifySocket === null) return silentNotifier;
  return createServiceNotifier({
    socket: notifySocket,
    watchdogMs,
    mainPid,
    log,
    checkAlive,
  });
}

/** Sends what is done as the status, from now on; returns what says how it is at the moment. */
export function announce(notifier: ServiceNotifier, deployer: Deployer, workers: Workers): () => string {
  const toStatus = (): string => {
    const id = workers.currentRelease()?.manifest.id;
    return id === undefined ? 'no release serves yet' : `release ${id} serves`;
  };
  deployer.events.on('progress', ({ step, message }) => {
    const [firstLine = ''] = message.split('\n');
    notifier.status(`${toStatus()}; ${step}${firstLine === '' ? '' : `: ${firstLine}`}`);
  });
  return toStatus;
}
