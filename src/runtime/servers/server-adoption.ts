/** What the runtime asks of adopted servers. */

import type { Socket } from 'node:net';

import type { CarryReport, OpenWork } from '../../protocol/messages.ts';
import type { Give, SendNote, Take } from '../carry-channel.ts';
import type { GenerationScope } from '../generation-scope.ts';
import type { ModuleOrigin } from '../origin.ts';
import type { Pin } from '../retained.ts';
import type { DrainOptions, DrainReport, QuietReport } from './drain-servers.ts';
import type { ListenAddress } from './listen-address.ts';
import type { WorkCounts } from './open-work.ts';
import type { Door } from './private-door.ts';
import type { ConnectOptions, ProbeAnswer, ProbeOptions } from './probe-server.ts';
import type { ListeningResult, WaitOptions } from './when-ready.ts';

export interface GiveAwayOptions {
  readonly give: Give;
  readonly sendNote: SendNote;
  readonly timeoutMs: number;
  /** Upgraded sockets stay here, also those that could be given. */
  readonly keepsUpgraded?: boolean | undefined;
  /** How many, at most. */
  readonly countMax?: number | undefined;
}

export interface ServerAdoption {
  /** Says which servers of the current generation a new one shares with it, by the module that made them listen.
   *  Call it before the new generation is evaluated. Without it, a generation that makes no server shares all. */
  inherit(scope: GenerationScope, isShared: (origin: ModuleOrigin | undefined) => boolean): void;
  /** Resolves when the generation serves every address of the current one, or at least one and a second has passed.
   *  Shape: a timeout is a result, not a rejection. */
  whenListening(scope: GenerationScope, options: WaitOptions): Promise<ListeningResult>;
  /** Gives all connections and requests to a generation; a rollback is a commit of the one before.
   *  Errors: the errno exception of `listen`, with nothing changed but the listeners that only it wanted. */
  commit(scope: GenerationScope): void;
  /** Takes away what a generation has, as if it had never listened. */
  abort(scope: GenerationScope): void;
  /** Lets go of a generation's servers, so that they pin nothing; its open connections go on, as the current one's. */
  retire(scope: GenerationScope): void;
  /** Accepts no more, and keeps the sockets, so that `resumeAccepting` asks nobody. Connections wait in the kernel. */
  pauseAccepting(): Promise<void>;
  /** Closes the listening handles, also those that are kept. Open connections go on. */
  stopAccepting(): Promise<void>;
  /** Listens again; at once after `pauseAccepting`, even while that is under way. */
  resumeAccepting(): Promise<void>;
  /** Pauses accepting, and reads no more from connections on which nothing is being answered: what clients send waits in the kernel. */
  hold(): Promise<void>;
  /** The same for upgraded sockets and those of net servers, after `hold`. */
  holdKept(): void;
  /** Reads again from the connections that are held. Resolves when all have been, or are gone: those that `giveAway` is about
   *  to give stay held until their turn. */
  unhold(): Promise<void>;
  /** Serves on as a lame duck until every connection has ended or the deadline has passed. */
  drain(options: DrainOptions): Promise<DrainReport>;
  /** What a lame duck waits for; null where the servers serve on. */
  openWork(): OpenWork | null;
  /** Tells the WebSockets and the streams of events of retired generations to come back, spread over a time, and ends them. */
  partWithRetired(spreadMs: number): Promise<void>;
  /** Ends being a lame duck. */
  undrain(): void;
  /** Gives live connections to another process: idle ones now, others when they become so. Until the deadline, `undrain`,
   *  or, once nothing is accepted any more, the last that could be given. */
  giveAway(options: GiveAwayOptions): Promise<CarryReport>;
  /** Decides about a live connection of another process. */
  readonly takeOver: Take;
  /** An upgraded socket belongs to the current generation from now on. */
  rekeep(socket: Socket): void;
  counts(): WorkCounts;
  /** Resolves when a generation answers no request any more. Its upgraded sockets are counted, not waited for. */
  whenQuiet(scope: GenerationScope, options: { timeoutMs: number }): Promise<QuietReport>;
  /** Resolves when the last upgraded socket of a generation has closed. */
  whenLeft(scope: GenerationScope): Promise<void>;
  /** The requests that a generation is answering, and the sockets that it keeps. */
  pins(scope: GenerationScope): readonly Pin[];
  /** The addresses, with their actual ports, of a generation; by default of the current one. */
  listening(scope?: GenerationScope): readonly ListenAddress[];
  /** An HTTP GET that the generation's first HTTP server answers, over a private connection, public or not. */
  probe(scope: GenerationScope, options: ProbeOptions): Promise<ProbeAnswer>;
  /** Null where the generation's server at `address` takes a connection and keeps it; else what was seen. */
  connect(
    scope: GenerationScope,
    options: ConnectOptions & { readonly address: string },
  ): Promise<string | null>;
  /** A private port for all of this machine that leads to the generation's first HTTP server, else to its first; null where it has none. */
  openDoor(scope: GenerationScope): Door | null;
  /** Has Node answer a request in this process, so that the first client does not wait for what Node compiles then. */
  warmUp(scope: GenerationScope): Promise<void>;
  /** Gives `listen` back to Node. Servers that were adopted stay so. */
  restore(): void;
}
