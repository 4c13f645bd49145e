/**
 * Uncaught errors and calls of process.exit(), attributed to the generation whose code made them. Code that has not
 * proved itself must not take the process along; for proved code Node's own rules hold.
 */

import { MidflightError } from '../errors.ts';
import { currentScope, type GenerationScope } from './generation-scope.ts';

export interface FaultOptions {
  /** Returns true when the fault has been dealt with and the process goes on. */
  onFault(scope: GenerationScope, error: Error): boolean;
  /** The process is about to end by an uncaught error of this generation. */
  onCrash?(scope: GenerationScope, error: Error): void;
}

/** Watches the process; returns a function that ends the watch. */
export function watchFaults({ onFault, onCrash }: FaultOptions): () => void {
  const exit = process.exit.bind(process);
  const contain = (error: Error): boolean => {
    const scope = currentScope();
    return scope !== undefined && onFault(scope, error);
  };
  const onUncaught = (thrown: unknown, origin: string): void => {
    if (isContainedExit(thrown)) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    if (contain(error)) return;
    if (process.listenerCount('uncaughtException') > 1) return;
    crash(error, origin);
  };
  const crash = (error: Error, origin: string): void => {
    const scope = currentScope();
    if (scope !== undefined) onCrash?.(scope, error);
    process.stderr.write(`${origin}: ${error.stack ?? error.message}\n\nNode.js ${process.version}\n`);
    exit(1);
  };
  const onExit = (code?: number | string | null): never => {
    const error = new MidflightError('ERR_MIDFLIGHT_GENERATION_EXITED', [code ?? process.exitCode ?? 0]);
    if (!contain(error)) return exit(code);
    // Nothing after process.exit() expects to run, so the code must end here.
    throw error;
  };
  process.on('uncaughtException', onUncaught);
  process.exit = onExit;
  return () => {
    process.off('uncaughtException', onUncaught);
    process.exit = exit;
  };
}

/** The end of code that called process.exit() and was contained already. */
function isContainedExit(thrown: unknown): boolean {
  return thrown instanceof MidflightError && thrown.code === 'ERR_MIDFLIGHT_GENERATION_EXITED';
}
