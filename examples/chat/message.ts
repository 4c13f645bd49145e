import ms from 'ms';
import { version } from './version.ts';

export interface Message {
  readonly author: string;
  readonly text: string;
  readonly at: number;
  /** The version of the code that took it. */
  readonly version: string;
}

export function toMessage(author: string, text: string): Message {
  return { author, text, at: Date.now(), version };
}

/** One line of the conversation, as people read it. */
export function describe({ author, text, at }: Message): string {
  return `${author}: ${text} (${ms(Date.now() - at)} ago)`;
}

export { version as messageVersion };
