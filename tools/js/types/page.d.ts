// What the page's program tells its scripts, and what they tell it. Fields are those of the Go types that are encoded:
// Frame of wasm/player, the states in it, and the calls of wasm/bridge. Times are nanoseconds.

interface Frame {
  now: number;
  seed: number;
  epoch: number;
  playing: boolean;
  speed: number;
  skip: boolean;
  boost: number;
  behind: boolean;
  pace: number;
  leader: number;
  /** Who led last, or leads; 0 = nobody has. */
  led: number;
  term: number;
  commit: number;
  events: number;
  tick: number;
  chosen: { member: number; link: [number, number]; request: number };
  members: Member[];
  conf: Conf;
  founded: number;
  /** Who does not run, the last to fall last. */
  fallen: number[];
  cuts: [number, number][];
  clients: { id: number; done: number; failed: number }[];
  requests: ClientRequest[];
  watches: Watch[];
  invariants: { id: string; name: string; ok: boolean }[];
  violation?: { number: number; text: string; at: number; since: number; seq: number };
  dials?: Dials;
  raft: { election: number; noPreVote: boolean; noCheckQuorum: boolean };
  numbers: { was?: Tally; now: Tally };
  source: Source;
  feed: Line[];
  replay?: Show;
  leases?: Shelf;
}

/** What a cluster did from a moment on. */
interface Tally {
  since: number;
  over: number;
  writes: Answers;
  reads: Answers;
  failed: number;
  entries: number;
  messages: number;
  syncs: number;
  elections: number;
  leaderless: number;
}

/** How many there were, and how long half of them took at most, and 99 of a hundred. */
interface Answers {
  count: number;
  p50: number;
  p99: number;
}

/** The leases that the stage shows beside the member that holds them. */
interface Shelf {
  member: number;
  /** It leads, and their time runs. */
  counts: boolean;
  count: number;
  revision: number;
  leases: Lease[];
}

interface Lease {
  id: number;
  /** As granted, seconds. */
  ttl: number;
  /** Simulated time, 0 = nobody counts. */
  expiry: number;
  keys: string[];
  keyCount: number;
}

/** What is played: a simulation, which can be acted on, or a recording. */
interface Source {
  kind: 'simulation' | 'recording';
  acts: boolean;
  end: number;
  files?: { member: number; name: string; id: string; from: number; to: number; events: number; lost: boolean }[];
}

/** Who decides, as one member sees it. */
interface Conf {
  by: number;
  index: number;
  voters: number[];
  learners: number[];
  quorum: number;
  pending?: { kind: string; member: number; index: number; quorum: number; voters: number };
}

interface Dials {
  loss: number;
  duplicate: number;
  latency: number;
  jitter: number;
  fsync: number;
  rate: number;
  spread: number;
  members: { id: number; fsync: number; apply: number; clock: number }[];
}

interface Member {
  id: number;
  name: string;
  role: 'follower' | 'candidate' | 'pre-candidate' | 'leader';
  learner: boolean;
  standing: '' | 'voter' | 'learner' | 'removed';
  joining: boolean;
  voters: number;
  alive: boolean;
  process: 'running' | 'paused' | 'crashed' | 'killed' | 'stopped' | 'starting' | 'unknown';
  reason?: string;
  incarnation: number;
  term: number;
  vote: number;
  lead: number;
  first: number;
  last: number;
  written: number;
  synced: number;
  commit: number;
  applied: number;
  durable: number;
  snapshot: number;
  elapsed: number;
  timeout: number;
  electionAt: number;
  heardAt: number;
  quorumHeardAt: number;
  nextTickAt: number;
  revision: number;
  compactRevision: number;
  keys: number;
  hashKV: number;
  hashRevision: number;
  dbSize: number;
  dbSizeInUse: number;
  buffered: number;
  watchers: number;
  disk: string;
  diskSince: number;
  diskUntil: number;
  logQueue: number;
  applyQueue: number;
  inbox: number;
  segments: number;
  walBytes: number;
  image?: { from: number; index: number; got: number; size: number };
  votes: { id: number; granted: boolean }[];
  refusals: Refusal[];
  progress: Progress[];
}

/** Why a member does not vote for a candidate. */
interface Refusal {
  id: number;
  why: 'leader' | 'log' | 'voted' | 'term';
  for: number;
  at: number;
}

interface Progress {
  id: number;
  match: number;
  next: number;
  state: string;
  inflight: number;
  snapshot: number;
  paused: boolean;
  active: boolean;
  learner: boolean;
}

interface ClientRequest {
  id: number;
  client: number;
  op: string;
  text: string;
  member: number;
  attempts: number;
  status: 'pending' | 'ok' | 'error' | 'unknown';
  error?: string;
  result?: string;
  revision?: number;
  issued: number;
  done?: number;
  stations: Station[];
  denied?: { user: string; lacks: string; key?: string; end?: string; member: number; index?: number };
  behind?: { member: number; match: number; own: number };
  lack?: Lack;
  missed?: { revision: number; text: string; at: number };
  fate?: 'happened' | 'never';
  fateRevision?: number;
}

/** What a request waits for, and of whom. */
interface Lack {
  kind: string;
  member?: number;
  for?: number;
  index?: number;
  have?: number;
  need?: number;
  of?: number[];
}

interface Station {
  name: string;
  at: number;
  member: number;
  note?: string;
}

interface Watch {
  id: number;
  client: number;
  key: string;
  end?: string;
  member: number;
  open: boolean;
  reason?: string;
  next: number;
  received: number;
  pushes: number[];
  events: { at: number; revision: number; type: string; key: string; value: string }[];
}

/** A line of the feed. */
interface Line {
  seq: number;
  at: number;
  kind: string;
  member?: number;
  peer?: number;
  term?: number;
  index?: number;
  rev?: number;
  n?: number;
  from?: number[];
  to?: number[];
  text?: string;
  /** Of a setting, an error of a disk, or a lease. */
  name?: string;
  request?: number;
  client?: number;
  asks?: string;
  lit?: boolean;
  /** The page's own: how often it was told in a row; what was cut in the same stroke; who refuses, and why. */
  times?: number;
  more?: Line[];
  members?: number[];
  why?: string;
}

/** A replay that is being shown. */
interface Show {
  name: string;
  mutant?: string;
  correct: boolean;
  violated: number;
  text: string;
  since: number;
  start: number;
  over: boolean;
  seconds: number;
  at: number;
}

/** A message that is on its way. */
interface Message {
  id: number;
  seq: number;
  logTerm: number;
  held?: number;
  waited?: number;
  type: string;
  from: number;
  to: number;
  term: number;
  index: number;
  commit: number;
  entries: number;
  size?: number;
  reject: boolean;
  lost?: string;
  sent: number;
  arrives: number;
}

/** An entry of a member's log. */
interface Entry {
  member?: number;
  index: number;
  term: number;
  text: string;
  written: boolean;
  synced: boolean;
  committed: boolean;
  applied: boolean;
}

/** What is at a point of the stage. */
type Target =
  | { kind: 'none' }
  | { kind: 'member'; member: number }
  | { kind: 'link'; link: [number, number] }
  | { kind: 'client'; client: number }
  | { kind: 'lease'; lease: number; member: number }
  | ({ kind: 'message' } & Message)
  | ({ kind: 'cell' } & Entry)
  | { kind: 'cut'; links: [number, number][]; oneway: boolean };

/** A command, as the simulator and the player take it. */
interface Command {
  cmd: string;
  [field: string]: unknown;
}

/** What wasm/bridge attaches. */
interface Calls {
  dispatch(json: string): { error?: string; request?: number; missed?: boolean };
  step(ns: number): { error?: string };
  hash(): string;
  state(): string;
  frame(): string;
  memory(): string;
  rectOf(id: string): [number, number, number, number] | null;
  pointer(kind: string, x: number, y: number, finger: boolean, oneway: boolean): Target;
  frameStats(): Record<string, number>;
  crowd(n: number): null;
  save(test: boolean): { error?: string; text: string };
  record(files: Uint8Array[]): { error?: string };
  messages(): string;
  log(member: number): string;
  cover(px: number): null;
  versions(): { go: string; raft: string; ebiten: string };
  inspect(member: number, tab: string, query: string): { error?: string; text: string };
  nudge(): null;
  drawn(): any;
  restyle(): null;
}

interface Vitrine {
  version: number;
  ready: Promise<Vitrine>;
  dispatch(command: Command): { request: number; missed: boolean };
  step(ns: number): void;
  hash(): string;
  record(files: Uint8Array[]): void;
  inspect(member: number, tab: string, query?: object): any;
  state(): any;
  subscribe(fn: (frame: Frame) => void): () => void;
  rectOf(id: string): { x: number; y: number; width: number; height: number } | null;
  frameStats(): Record<string, number>;
}

type Font = { mono: boolean; weight: number; size: number };

/** What the stage wants rasterised. */
interface Spec {
  fonts: Font[];
  sprites: string[];
  words: { text: string; font: number }[];
  more: string;
}

/** What wasm_exec.js defines. */
declare class Go {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

declare var vitrine: Vitrine;
declare var vitrineHost: any;
