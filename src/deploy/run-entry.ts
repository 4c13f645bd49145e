/** `midflight run`: one entry under the runtime, in this process, with nothing around it. */

import { createRuntime } from './create-runtime.ts';

/** Compiles what the entry needs and evaluates it; the process then lives as long as the app does.
 *  Errors: those of compiling and linking; what the entry throws. */
export async function runEntry(app: { readonly root: string; readonly entry: string }): Promise<void> {
  await createRuntime(app).load();
}
