/** What an app imports from `midflight`. */

export { state, type StateOptions } from './runtime/state.ts';
