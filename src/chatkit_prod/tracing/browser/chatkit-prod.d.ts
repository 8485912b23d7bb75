/** What `createTelemetry` needs to know. */
export interface TelemetryOptions {
  /** The URL of the app's `ClientEventsEndpoint`, absolute or relative to the page. */
  readonly endpoint: string | URL;
  /** What sends the requests, ChatKit's and ours; the page's own `fetch` if left out. */
  readonly fetch?: typeof globalThis.fetch;
  /** Headers of every batch, such as `Authorization`; asked for each time. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Whether cookies go along with a batch; `include` if left out. */
  readonly credentials?: RequestCredentials;
  /**
   * Origins, besides those of the page and of `endpoint`, whose requests get our headers. A request to any
   * other origin, such as an upload to a store of files, is passed on as it is.
   */
  readonly origins?: readonly string[];
  /** Milliseconds for which events are collected; 2000 if left out. */
  readonly interval?: number;
  /** Events of a batch, at most what the endpoint takes; 50 if left out. */
  readonly maxBatch?: number;
}

/** The options of ChatKit that are listened to. */
export interface ChatKitHandlers {
  onLog?: (detail: { name: string; data?: Record<string, unknown> }) => void;
  onError?: (detail: { error: Error }) => void;
  onThreadChange?: (detail: { threadId: string | null }) => void;
}

export interface Telemetry {
  /** 32 hexadecimal digits: this tab, until it is closed. */
  readonly session: string;
  /**
   * A `fetch` for `CustomApiConfig.fetch`: adds `traceparent` and `chatkit-session` where they are missing,
   * and returns what the fetch below it returns.
   */
  readonly fetch: typeof globalThis.fetch;
  /** Listen to an `<openai-chatkit>` element. Returns what ends it. */
  readonly attach: (element: EventTarget) => () => void;
  /** Return options for `useChatKit` that tell us as well as the app's own handlers. */
  readonly options: <T extends ChatKitHandlers>(own?: T) => T & Required<ChatKitHandlers>;
  /** Send a batch now. Fulfilled when it was delivered or has failed; never rejected. */
  readonly flush: () => Promise<void>;
}

/**
 * Connect a page with a `ClientEventsEndpoint`; once per page.
 *
 * @throws TypeError `endpoint` or one of `origins` is no URL.
 */
export declare function createTelemetry(options: TelemetryOptions): Telemetry;
