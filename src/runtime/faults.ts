/**
 * Uncaught errors and calls of process.exit(), attributed to whose code made them. Code that has not proved itself, and that of
 * plugins, must not take the process along; for all other Node's own rules hold.
 */

import { MidflightError, toError } from '../errors.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';

export interface FaultOptions {
  /** Returns true when the fault has been dealt with and the process goes on. */
  onFault(scope: GenerationScope, error: Error): boolean;
  /** The process is about to end by an uncaught error of this generation. */
  onCrash?(scope: GenerationScope, error: Error): void;
}

/** Returns true when the error has been dealt with and the process goes on. */
type Contain = (error: Error) => boolean;

const containers = new Set<Contain>();
const crashes = new Set<(error: Error) => void>();
/** As it was before it was watched. */
let exit = process.exit.bind(process);

/** Asks `contain` of every uncaught error, as the code that has caused it; returns a function that ends that. */
export function containErrors(contain: Contain): () => void {
  if (containers.size === 0) {
    exit = process.exit.bind(process);
    process.on('uncaughtException', onUncaught);
  }
  containers.add(contain);
  return () => {
    containers.delete(contain);
    if (containers.size === 0) process.off('uncaughtException', onUncaught);
  };
}

/** Watches the process; returns a function that ends the watch. */
export function watchFaults({ onFault, onCrash }: FaultOptions): () => void {
  const contain = (error: Error): boolean => {
    const scope = currentScope();
    return scope !== undefined && onFault(scope, error);
  };
  const tellCrash = (error: Error): void => {
    const scope = currentScope();
    if (scope !== undefined) onCrash?.(scope, error);
  };
  const onExit = (code?: number | string | null): never => {
    const error = new MidflightError('ERR_MIDFLIGHT_GENERATION_EXITED', [code ?? process.exitCode ?? 0]);
    if (!contain(error)) return exit(code);
    // Nothing after process.exit() expects to run, so the code must end here.
    throw error;
  };
  const letGo = containErrors(contain);
  const before = process.exit;
  crashes.add(tellCrash);
  process.exit = onExit;
  return () => {
    letGo();
    crashes.delete(tellCrash);
    process.exit = before;
  };
}

function onUncaught(thrown: unknown, origin: string): void {
  if (isContainedExit(thrown)) return;
  const error = toError(thrown);
  if ([...containers].some((contain) => contain(error))) return;
  if (process.listenerCount('uncaughtException') > 1) return;
  for (const tell of crashes) tell(error);
  process.stderr.write(`${origin}: ${error.stack ?? error.message}\n\nNode.js ${process.version}\n`);
  exit(1);
}

/** The end of code that called process.exit() and was contained already. */
function isContainedExit(thrown: unknown): boolean {
  return thrown instanceof MidflightError && thrown.code === 'ERR_MIDFLIGHT_GENERATION_EXITED';
}
