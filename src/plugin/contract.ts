/**
 * What a host expects of something that a plugin has: a Standard Schema, which its value must pass, or a function with
 * schemas of its arguments and its result, which each call must pass.
 */

import { MidflightError } from '../errors.ts';
import {
  describeIssues,
  type InferInput,
  type InferOutput,
  type SchemaResult,
  type StandardSchema,
} from './standard-schema.ts';

type AnyFunction = (...values: never[]) => unknown;
type Schemas = readonly StandardSchema[];

export interface FunctionContract<Function extends AnyFunction = AnyFunction> {
  readonly kind: 'function';
  /** Null: any. */
  readonly args: Schemas | null;
  readonly result: StandardSchema | null;
  /** Only its type counts. */
  readonly type?: Function;
}

export type Contract = FunctionContract | StandardSchema;

/** What a host gets that asks with this contract. */
export type Contracted<C> =
  C extends FunctionContract<infer Function> ? Function : C extends StandardSchema ? InferOutput<C> : unknown;

type InputsOf<Args extends Schemas> = { -readonly [Index in keyof Args]: InferInput<Args[Index]> };

/** A function: of that type, which nothing checks, `fn<(name: string) => string>()`; or with schemas, which every call is held
 *  to: `fn([z.string()], z.string())`. A result that is a promise is checked when it is there.
 *  Errors of such a call: ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID, ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID. */
export function fn<Function extends AnyFunction>(): FunctionContract<Function>;
export function fn<const Args extends Schemas, Result extends StandardSchema>(
  args: Args,
  result: Result,
): FunctionContract<(...values: InputsOf<Args>) => InferOutput<Result>>;
export function fn(args: Schemas | null = null, result: StandardSchema | null = null): FunctionContract {
  return { kind: 'function', args, result };
}

function isFunctionContract(contract: Contract): contract is FunctionContract {
  return 'kind' in contract && contract.kind === 'function';
}

/** Whether they expect the same, by the same schemas. */
export function isSameContract(left: Contract, right: Contract): boolean {
  if (left === right) return true;
  if (!isFunctionContract(left) || !isFunctionContract(right) || left.result !== right.result) return false;
  const [some, others] = [left.args ?? [null], right.args ?? [null]];
  return some.length === others.length && some.every((schema, index) => schema === others[index]);
}

/** What a plugin has under a name, as it can be told of it also from another thread. */
export type Found =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'function' }
  | { readonly kind: 'value'; readonly value: unknown }
  /** A value of another thread that can't be copied from there. */
  | { readonly kind: 'uncopied'; readonly problem: string };

/** Null where it is what the contract says, else what was expected and what there is. */
export function findMismatch(contract: Contract, found: Found): string | null {
  if (found.kind === 'nothing') return 'and the plugin exports nothing of that name';
  if (found.kind === 'uncopied') return `and it can't be copied from the plugin's thread: ${found.problem}`;
  if (isFunctionContract(contract))
    return found.kind === 'function' ? null : `a function was expected, and it is ${nameKind(found.value)}`;
  if (found.kind === 'function') return 'a value was expected, and it is a function; ask with fn()';
  const result = validate(contract, found.value);
  if (result instanceof Promise)
    return 'and a schema that answers later can check no value; use one that answers at once';
  return result.issues === undefined ? null : describeIssues(result.issues);
}

function nameKind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** What a schema makes of a value that has passed it. */
export function toContracted(contract: Contract, value: unknown): unknown {
  if (isFunctionContract(contract)) return value;
  const result = validate(contract, value);
  return result instanceof Promise || result.issues !== undefined ? value : result.value;
}

export type Call = (...values: unknown[]) => unknown;

/** The function, given only arguments that pass their schemas; itself where there are none. `label` names it in errors.
 *  Errors of a call: ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID. */
export function withCheckedArguments(contract: Contract, label: string, call: Call): Call {
  const args = isFunctionContract(contract) ? contract.args : null;
  if (args === null) return call;
  return (...values) => {
    if (values.length > args.length) {
      const problem = `${values.length} arguments were given, and it takes ${args.length}`;
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID', [label, problem]);
    }
    const checked = args.map((schema, index) => {
      const which = `${label}, argument ${index + 1}`;
      return take(validate(schema, values[index]), 'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID', which);
    });
    if (!checked.some(isThenable)) return call(...checked);
    return Promise.all(checked).then((ready) => call(...ready));
  };
}

/** The function, whose results pass their schema, also those that come later; itself where there is none.
 *  Errors of a call: ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID. */
export function withCheckedResult(contract: Contract, label: string, call: Call): Call {
  const result = isFunctionContract(contract) ? contract.result : null;
  if (result === null) return call;
  return (...values) =>
    then(call(...values), (value) =>
      take(validate(result, value), 'ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID', label),
    );
}

type InvalidCode = 'ERR_MIDFLIGHT_PLUGIN_ARGUMENTS_INVALID' | 'ERR_MIDFLIGHT_PLUGIN_RESULT_INVALID';

function take(
  result: SchemaResult<unknown> | Promise<SchemaResult<unknown>>,
  code: InvalidCode,
  label: string,
): unknown {
  return then(result, (known) => {
    const { issues } = known as SchemaResult<unknown>;
    if (issues !== undefined) throw new MidflightError(code, [label, describeIssues(issues)]);
    return (known as { readonly value: unknown }).value;
  });
}

function then(value: unknown, use: (value: unknown) => unknown): unknown {
  return isThenable(value) ? Promise.resolve(value).then(use) : use(value);
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function validate(
  schema: StandardSchema,
  value: unknown,
): SchemaResult<unknown> | Promise<SchemaResult<unknown>> {
  return schema['~standard'].validate(value);
}
