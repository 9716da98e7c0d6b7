// Generated from docs/openapi.json by scripts/generate.mjs: npm run generate

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The dashboard, a page for people */
        get: operations["dashboard"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document as a page for people */
        get: operations["docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A stream of events
         * @description Server-sent events, until the client goes away or the coordinator stops. `outcome`: a request ended; the data is an
         *     Outcome or an AskedError. `worker`: a worker is new, or its state has changed; the data is a WorkerRecord.
         *     `observation`: the watched request accepted a worker's result; the data is a WorkerResponse. `missed`: events were
         *     left out here; the data is `{"count": 12}`, or null if the number is unknown.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/feeds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All feeds, with their last reports
         * @description From memory: it waits for nobody. A coordinator without a feed file has none.
         */
        get: operations["feeds"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/feeds/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The last report of a feed
         * @description From memory: it waits for nobody. `age_ms` and `stale` say how old it is.
         */
        get: operations["feed"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/feeds/{name}/at": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The report of a feed that stood at a time */
        get: operations["feed_at"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/feeds/{name}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The history of a feed
         * @description The records that the store keeps, the oldest first. Rounds count up by one. What the store no longer keeps is left
         *     out at the beginning only: a round that is missing elsewhere was lost by the store, which the chain of `previous`
         *     shows.
         */
        get: operations["feed_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/feeds/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A stream of the records of feeds
         * @description Server-sent events, until the client goes away or the coordinator stops. Each is a `record`; its id is its feed and its
         *     round. A client that reconnects with the last id receives every record after it that the store keeps.
         */
        get: operations["feed_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process is alive
         * @description Also says whether NATS is connected. A coordinator without NATS is alive as well.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The metrics, as Prometheus scrapes them */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/outcomes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The stored outcomes, the oldest first
         * @description They are those of durable requests, and those of plain requests if the coordinator runs with `--keep-outcomes`. All
         *     coordinators of a store show the same. An outcome that was stored a moment ago may be missing yet.
         */
        get: operations["outcomes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/policies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How requests that set no policy of their own are answered
         * @description With `query`, only the policy that applies to it.
         */
        get: operations["policies"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/queries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which queries the live workers offer, and how many offer each
         * @description A worker that announces no queries offers every query, which is listed as `*`.
         */
        get: operations["queries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a request made now can be answered
         * @description It can while some policy has as many workers as it requires. The response lists the policies that lack workers.
         */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/request": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask all workers, and get one answer with its evidence
         * @description The request ends as soon as every expected worker has answered, or a quorum has, or at its deadline. A caller that
         *     sets `id` can retry safely: for 60 s, a retry joins the request in flight or receives its outcome. If the coordinator
         *     has a store, a retry receives the outcome from any coordinator, as long as the store keeps it.
         */
        post: operations["ask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/requests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Leave a request, and find its one outcome later
         * @description The request is stored before it is accepted, and has exactly one outcome, whichever coordinator stops in between:
         *     another one asks the workers. They may be asked more than once. A caller that names the request, by the header
         *     `Idempotency-Key` or by `id`, can repeat the submission safely. `numbers` has no effect here: how numbers are written is
         *     chosen when the outcome is read.
         */
        post: operations["submit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/requests/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The outcome of a request
         * @description The body is what the callers of the request received, an outcome or an error, with status 200 in either case. If the
         *     coordinator has a store, it is found wherever it was asked, as long as the store keeps it. Otherwise it is found as
         *     long as its event is kept: see `GET /events`. A durable request without an outcome is 202.
         */
        get: operations["ended"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The known workers with their scores and counters, and what the coordinator has counted */
        get: operations["workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An error with its evidence. */
        AskedError: components["schemas"]["Error"] & components["schemas"]["FailureEvidence"];
        /** @description One time the score of a worker was lowered. */
        Blame: {
            /**
             * Format: uint64
             * @description The time since then, in milliseconds.
             */
            ago_ms: number;
            /**
             * @description `outlier`: its value was judged bad against the others'. `failure`: it reported a failure. `silence`: it was
             *     silent until the deadline. `equivocation`: it answered one request twice, differently.
             * @example outlier
             */
            blame: string;
            /** @description The request that it happened in. */
            request_id: components["schemas"]["Id"];
            /** @description Its score since. */
            score: components["schemas"]["Number"];
            /** @description Its score until then. */
            score_before: components["schemas"]["Number"];
        };
        /** @description A number with all its digits; a string if the request asks for `numbers` as `string`. */
        Decimal: string;
        /** @description The body of every error. */
        Error: {
            /**
             * Format: uint16
             * @description The HTTP status.
             */
            code: number;
            /** @description What went wrong and what to do, as a sentence for people: may change. */
            details: string;
            error: components["schemas"]["ErrorWord"];
        };
        /**
         * @description What went wrong, as a word for programs: stable.
         * @enum {string}
         */
        ErrorWord: "invalid_request" | "not_found" | "unknown_query" | "method_not_allowed" | "request_timeout" | "conflict" | "disputed" | "payload_too_large" | "unsupported_media_type" | "insufficient_responses" | "rate_limited" | "no_workers" | "too_few_workers" | "overloaded" | "bus_down" | "draining" | "deadline_exceeded" | "no_store" | "store_unavailable";
        /** @description What the workers said: part of every outcome, with an answer or without. */
        Evidence: {
            /** @description Those of the missing that were not there, and so were not asked. Present if there are any. */
            absent?: components["schemas"]["Id"][];
            /** @description The time of day of the end, by the coordinator's clock. A retry receives the time of the first answer. */
            answered_at: components["schemas"]["Time"];
            /**
             * Format: uint64
             * @description From the arrival of the request to its end, in nanoseconds.
             * @example 241502388
             */
            elapsed: number;
            /**
             * Format: uint64
             * @description The same as `elapsed`, by a name with its unit.
             * @example 241502388
             */
            elapsed_ns: number;
            /** @description The workers whose values were not used, and why. */
            excluded: components["schemas"]["Excluded"][];
            /**
             * Format: uint32
             * @description The number of workers that should have answered: those that were expected when the request was dispatched, those
             *     that answered unexpected, and those that should have been there by the operator's policy.
             */
            expected: number;
            /**
             * Format: uint32
             * @description The number of them that answered with a failure.
             */
            failed: number;
            /** @description Those that did not answer. */
            missing: components["schemas"]["Id"][];
            /** @description When the newest used value was observed. Present if a value was used. */
            newest_observed_at?: components["schemas"]["Time"];
            /**
             * @description When the oldest used value was observed: on arrival, or earlier by the age that its worker states. Present if a
             *     value was used.
             */
            oldest_observed_at?: components["schemas"]["Time"];
            query: components["schemas"]["Query"];
            /**
             * @description One sentence for people: how many of the expected workers' values were used, and what else is wrong.
             * @example Partial response: 2/3 workers succeeded
             */
            reliability_note: string;
            /** @description The id of the request: the caller's, or the one that was drawn. */
            request_id: components["schemas"]["Id"];
            strategy: components["schemas"]["Strategy"];
            /**
             * Format: uint32
             * @description The number of them that answered with a value, used or not.
             */
            succeeded: number;
            /**
             * @description Those of the missing that the request waited for no longer, because they had been silent for longer than usual.
             *     Present if there are any.
             */
            suspects?: components["schemas"]["Id"][];
            /** @description The first answer of each worker that answered, ordered by worker. */
            worker_responses: components["schemas"]["WorkerResponse"][];
            /** @description What became of each worker that was expected or answered, ordered by worker. */
            workers: components["schemas"]["WorkerFate"][];
        };
        /** @description A value that was not used. */
        Excluded: {
            reason: components["schemas"]["Exclusion"];
            /** @description The worker. */
            worker_id: components["schemas"]["Id"];
        };
        /**
         * @description `not_a_number`: a text where the strategy needs numbers. `outlier`: beyond `max_deviation`. `stale`: older than `max_age_ms`. `quarantined`: the worker's score is below the coordinator's `--quarantine-below`. `newcomer`: the worker has no record yet, and a worker with a record sent a value, or was awaited.
         * @enum {string}
         */
        Exclusion: "not_a_number" | "outlier" | "stale" | "quarantined" | "newcomer";
        /** @description What an error says about a request that was dispatched and has no answer. */
        FailureEvidence: components["schemas"]["Evidence"] & {
            /**
             * @description The share of the used values that agree with what would have been the answer. Present if the dispute is the
             *     error.
             */
            agreement?: components["schemas"]["Number"];
        };
        /**
         * @description The fate of one worker's part. `used`: its value was used. `excluded`: its value was not used, for the `reason`.
         *     `failed`: it answered that it failed. `late`: it had not answered when the request ended before its deadline.
         *     `missing`: it was silent until the deadline or for longer than usual, it left, or it was not there.
         * @enum {string}
         */
        Fate: "used" | "excluded" | "failed" | "late" | "missing";
        /** @description The last report of a feed: its record, and how old it is. */
        Feed: components["schemas"]["FeedAge"] & components["schemas"]["Record"];
        /** @description The part of the body that is not the record of the report. */
        FeedAge: {
            /**
             * Format: uint64
             * @description The time since the round of the report ended, in milliseconds, by the clock of the coordinator that answers.
             */
            age_ms: number;
            /** @description When the round of the newest record ended. */
            newest_at: components["schemas"]["Time"];
            /**
             * Format: uint64
             * @description The round of the newest record, which is greater than `round` if later rounds were disputed or had no answer.
             */
            newest_round: number;
            /** @description The status of the newest record. */
            newest_status: string;
            /** @description Whether that is more than the feed's `max_staleness`. */
            stale: boolean;
        };
        /** @description A part of a feed's history. */
        FeedHistory: {
            feed: components["schemas"]["FeedName"];
            /**
             * Format: uint64
             * @description The round with which the next page begins, for `cursor`; null if there is no more now.
             */
            next: number | null;
            /** @description Records in the order of their rounds, which count up by one. A round whose `value` is null was not reported. */
            reports: components["schemas"]["Record"][];
        };
        /**
         * @description 1 to 64 letters, digits, - and _.
         * @example BTC-USD
         */
        FeedName: string;
        /** @description All feeds, by name. */
        Feeds: {
            feeds: components["schemas"]["FeedState"][];
        };
        /** @description A feed and its last report. */
        FeedState: {
            /**
             * Format: uint64
             * @description The time since then, in milliseconds.
             */
            age_ms: number | null;
            answered_at: components["schemas"]["Time"] | null;
            deviation: components["schemas"]["Number"] | null;
            /**
             * Format: uint64
             * @description A value is reported again after this time, in milliseconds.
             */
            heartbeat_ms: number;
            /**
             * Format: uint64
             * @description The age above which the last report is stale, in milliseconds.
             */
            max_staleness_ms: number;
            /**
             * Format: uint64
             * @description The time from the start of one round to the start of the next, in milliseconds.
             */
            min_interval_ms: number;
            name: components["schemas"]["FeedName"];
            /**
             * Format: uint64
             * @description The round of the newest record.
             */
            newest_round: number | null;
            /** @description The status of the newest record. */
            newest_status: string | null;
            query: components["schemas"]["Query"];
            /**
             * Format: uint64
             * @description The round of the last report; null, like what follows, if there is none.
             */
            round: number | null;
            /** @description Whether there is no report, or its age is more than `max_staleness_ms`. */
            stale: boolean;
            value: components["schemas"]["Value"] | null;
        };
        /** @description The process is alive. */
        Health: {
            /** @description Whether NATS is connected. */
            nats: boolean;
            /**
             * Format: uint16
             * @description The port that the coordinator listens on.
             */
            port: number;
            /** @description Always `healthy`. */
            status: string;
        };
        /** @description A page of the stored outcomes. */
        History: {
            /**
             * @description The `cursor` of the next page; null if this is the last one. A page may have fewer outcomes than `limit`, or none,
             *     and not be the last.
             */
            next: string | null;
            outcomes: components["schemas"]["HistoryEntry"][];
        };
        /** @description A stored outcome. */
        HistoryEntry: {
            /**
             * Format: uint16
             * @description The status with which `POST /request` answers it.
             */
            code: number;
            /** @description The id of the request. */
            id: components["schemas"]["Id"];
            outcome: components["schemas"]["Told"];
            query: components["schemas"]["Query"];
            /** @description When it was stored, by the clock of the store. */
            stored_at: components["schemas"]["Time"];
        };
        /** @description 1 to 128 bytes of UTF-8 without control characters. */
        Id: string;
        /** @description A worker, and what explains its score. */
        KnownWorker: components["schemas"]["WorkerRecord"] & {
            /** @description The last times its score was lowered, at most 8, oldest first. A good value raises it. */
            blames: components["schemas"]["Blame"][];
            last_failure: components["schemas"]["LastFailure"] | null;
        };
        /** @description The last failure of a worker. */
        LastFailure: {
            /**
             * Format: uint64
             * @description The time since then, in milliseconds.
             */
            ago_ms: number;
            /** @description The request that it failed to answer. */
            request_id: components["schemas"]["Id"];
            /** @description The worker's words, at most 256 bytes of them. */
            text: string;
        };
        /** @description Names the record before another one. */
        Link: {
            /**
             * Format: uint64
             * @description Its sequence in the store.
             */
            sequence: number;
            /** @description The SHA-256 of its bytes, in hexadecimal digits. */
            sha256: string;
        };
        /** @description A fraction: values farther from the median than this fraction of its magnitude. `mad:K`: values farther from it than K times 1.4826 times the median absolute deviation. `iqr:K`: values farther below the first or above the third quartile than K times the interquartile range. K is from 0 to 1000000, at most 6 decimals. */
        MaxDeviation: number | string;
        /** @description A share from 0 to 1 with at most 6 decimals, as a number or as a string. */
        MinAgreement: number | string;
        /** @description A number with all its digits, up to 28: read it as a decimal, not as a binary float. */
        Number: string;
        /**
         * @description How the values of the answer are written if they are numbers.
         * @enum {string}
         */
        Numbers: "number" | "string";
        /** @description One query, or a pattern of queries, and how many offer it. */
        OfferedQuery: {
            /**
             * @description A query, or a pattern in which `*` stands for any characters. `*` alone stands for every query.
             * @example BTC/*
             */
            query: string;
            /**
             * Format: uint32
             * @description The number of live workers that offer it.
             */
            workers: number;
        };
        /**
         * @description What happens to a disputed answer: `answer` returns it, `reject` makes it 409.
         * @enum {string}
         */
        OnDispute: "answer" | "reject";
        /** @description The answer to a request, and what it rests on. */
        Outcome: components["schemas"]["Evidence"] & {
            /**
             * @description The share of the used values, 0 to 1, that agree with the answer within the tolerance; rounded half-even to 6
             *     decimals.
             */
            agreement: components["schemas"]["Number"];
            /** @description The answer before it was rounded. Present if rounding changed it. */
            exact_value?: components["schemas"]["Decimal"];
            /** @description The answer; rounded, if the policy's `decimals` say so. */
            final_value: components["schemas"]["Value"];
            spread: components["schemas"]["Spread"] | null;
            status: components["schemas"]["Status"];
            /** @description Whether several values were equally frequent, so that a rule chose among them, not the workers. */
            tie: boolean;
        };
        /** @description The policies in force. */
        Policies: {
            /**
             * @description The first whose `query` covers a query applies to it. The last is the default, unless an earlier one is for every
             *     query.
             */
            policies: components["schemas"]["Policy"][];
            /**
             * @description The weights of workers that the operator set. If there are any, other workers weigh 1; if there are none, each
             *     worker weighs its score.
             */
            weights: {
                [key: string]: components["schemas"]["Number"];
            };
        };
        /** @description How requests for some queries are answered, as far as they set nothing themselves. */
        Policy: {
            /**
             * Format: uint32
             * @description The decimals to which the answer is rounded; null for all.
             */
            decimals: number | null;
            /** @description The workers that should be there by name. */
            expect: components["schemas"]["Id"][];
            /**
             * Format: uint64
             * @description Values known to be older, in milliseconds, are excluded; null for no bound.
             */
            max_age_ms: number | null;
            /**
             * @description Which values are excluded as outliers: a fraction, `mad:K`, `iqr:K` or `none`.
             * @example 0.06
             */
            max_deviation: string;
            min_agreement: components["schemas"]["Number"] | null;
            /**
             * Format: uint32
             * @description The number of workers that should be there.
             */
            min_expected: number;
            /**
             * Format: uint32
             * @description The least number of used values.
             */
            min_responses: number;
            on_dispute: components["schemas"]["OnDispute"];
            /**
             * Format: uint32
             * @description The decimals that `majority` keeps when it compares numbers.
             */
            precision: number;
            /**
             * @description The queries: a pattern in which `*` stands for any characters. `*` alone stands for every query.
             * @example BTC/*
             */
            query: string;
            /**
             * Format: uint32
             * @description The number of usable values with which a request ends early; null to wait for all.
             */
            quorum: number | null;
            strategy: components["schemas"]["Strategy"];
            /**
             * Format: uint64
             * @description The time within which a request ends, in milliseconds.
             */
            timeout_ms: number;
            /** @description How far a value may be from the answer to agree with it, as a fraction of the answer. */
            tolerance: components["schemas"]["Number"];
            /** @description The share of the values that `trimmed_mean` leaves out at each end. */
            trim_share: components["schemas"]["Number"];
        };
        /** @description Quantiles of a time, in nanoseconds. */
        Quantiles: {
            /** Format: uint64 */
            p50: number;
            /** Format: uint64 */
            p90: number;
            /** Format: uint64 */
            p99: number;
        };
        /** @description What the live workers offer. */
        Queries: {
            queries: components["schemas"]["OfferedQuery"][];
        };
        /**
         * @description 1 to 256 characters without control characters.
         * @example BTC/USD
         */
        Query: string;
        /** @description A request made now can be answered. */
        Readiness: {
            /** @description The number of requests in flight. */
            in_flight: number;
            /** @description Always true. */
            ready: boolean;
            /** @description The policies for which too few workers are there. */
            short: components["schemas"]["ShortPolicy"][];
            /** @description The number of live workers. */
            workers: number;
        };
        /**
         * @description Why a value is reported.
         * @enum {string}
         */
        Reason: "first" | "heartbeat" | "deviation";
        /** @description The record of a round. */
        Record: {
            /** @description When the round ended, by the clock of its coordinator. */
            answered_at: components["schemas"]["Time"];
            /** @description The coordinator that drove the round. */
            coordinator: components["schemas"]["Id"];
            /** @description The name of the feed. */
            feed: components["schemas"]["FeedName"];
            last_report: components["schemas"]["Report"] | null;
            /**
             * Format: uint64
             * @description The sequence of the lease under which it did.
             */
            lease: number;
            /** @description When the newest used value was observed. Present if a value was used. */
            newest_observed_at?: components["schemas"]["Time"];
            /** @description When the oldest used value was observed. Present if a value was used. */
            oldest_observed_at?: components["schemas"]["Time"];
            /** @description The outcome of the round with its evidence, as `POST /request` answers; null if it is too long to be stored. */
            outcome: Record<string, never> | null;
            previous: components["schemas"]["Link"] | null;
            reason: components["schemas"]["Reason"] | null;
            /**
             * Format: uint64
             * @description The number of the round, from 1 and counting up by one.
             */
            round: number;
            /**
             * @description The status of the answer, or the error: `complete`, `partial`, `low_reliability`, `disputed`,
             *     `insufficient_responses` and so on.
             */
            status: string;
            value: components["schemas"]["Value"] | null;
        };
        /** @description The known workers, and what the coordinator has counted. */
        Register: {
            /** @description The workers that some policy expects by name, and that are not there, in order. */
            absent: components["schemas"]["Id"][];
            /** @description The counters since the start, by name. */
            counters: {
                [key: string]: number;
            };
            /** @description The number of requests in flight. */
            in_flight: number;
            workers: components["schemas"]["KnownWorker"][];
        };
        /** @description A value that was reported. */
        Report: {
            /** @description When the round ended. */
            answered_at: components["schemas"]["Time"];
            /**
             * Format: uint64
             * @description The round.
             */
            round: number;
            /** @description The value. */
            value: components["schemas"]["Value"];
        };
        /**
         * @description A query, and how it is to be answered. Fields that are absent or null take the values of the coordinator's flags and
         *     policy file; the defaults named here are those of the flags. Unknown fields are refused.
         * @example {
         *       "query": "BTC/USD"
         *     }
         * @example {
         *       "id": "order-7781-price",
         *       "max_deviation": 0.05,
         *       "min_responses": 2,
         *       "query": "BTC/USD",
         *       "quorum": 3,
         *       "strategy": "median",
         *       "timeout_ms": 2500
         *     }
         */
        Request: {
            /**
             * Format: uint64
             * @description The decimals to which an answer that is a number is rounded, halves to the even neighbour; the outcome then has the
             *     exact number as `exact_value`. Default: all.
             */
            decimals?: number | null;
            id?: components["schemas"]["Id"] | null;
            /**
             * Format: uint64
             * @description Values that are known to be older, in milliseconds, are excluded. Default: no bound.
             */
            max_age_ms?: number | null;
            max_deviation?: components["schemas"]["MaxDeviation"] | null;
            min_agreement?: components["schemas"]["MinAgreement"] | null;
            /**
             * Format: uint64
             * @description The least number of used values; with fewer, 422. Default: 1.
             */
            min_responses?: number | null;
            numbers?: components["schemas"]["Numbers"] | null;
            on_dispute?: components["schemas"]["OnDispute"] | null;
            /**
             * Format: uint64
             * @description The decimals that `majority` keeps when it compares numbers. Default: 2.
             */
            precision?: number | null;
            /** @description What is asked. The workers interpret it; the coordinator does not. */
            query: components["schemas"]["Query"];
            /**
             * Format: uint64
             * @description Answer as soon as this many usable values have arrived, at least `min_responses`. Default: wait for all.
             */
            quorum?: number | null;
            strategy?: components["schemas"]["Strategy"] | null;
            /**
             * Format: uint64
             * @description The time in milliseconds within which the request ends, at most the coordinator's `--max-timeout-ms` (60000).
             *     Default: `--timeout-ms` (5000).
             */
            timeout_ms?: number | null;
            tolerance?: components["schemas"]["Tolerance"] | null;
            trim_share?: components["schemas"]["TrimShare"] | null;
        };
        /** @description A durable request. */
        RequestState: {
            /** @description The id of the request: the caller's, or the one that was drawn. */
            id: components["schemas"]["Id"];
            state: components["schemas"]["State"];
        };
        /** @description A policy for which too few workers are there. */
        ShortPolicy: {
            /** @description The workers that the policy expects by name, and that are not there. */
            missing: components["schemas"]["Id"][];
            /**
             * Format: uint32
             * @description The number that should be there: the larger of `min_responses` and `min_expected`.
             */
            needed: number;
            /**
             * @description The queries of the policy: a pattern in which `*` stands for any characters. `*` alone is the default policy.
             * @example BTC/*
             */
            query: string;
            /** @description Whether a request can succeed: whether `min_responses` workers are there. */
            served: boolean;
            /**
             * Format: uint32
             * @description The number of live workers that offer some of these queries.
             */
            workers: number;
        };
        /** @description How far the used numbers lie apart. */
        Spread: {
            interquartile: components["schemas"]["Decimal"] | null;
            /** @description The median absolute deviation from the median, not scaled. */
            mad: components["schemas"]["Decimal"];
            /** @description The largest used number. */
            max: components["schemas"]["Decimal"];
            /** @description The smallest used number. */
            min: components["schemas"]["Decimal"];
        };
        /**
         * @description Whether a durable request has its outcome: `done`, or not yet: `open`.
         * @enum {string}
         */
        State: "open" | "done";
        /**
         * @description How far an answer can be relied on. `complete`: the value of every expected worker was used, and all agree. `partial`:
         *     the values of at least half of them were used. `low_reliability`: fewer were. `disputed`: the workers disagree. Either
         *     `max_deviation` would have excluded half of the values or more, and so excluded none, or the agreement is below
         *     `min_agreement`.
         * @enum {string}
         */
        Status: "complete" | "partial" | "low_reliability" | "disputed";
        /**
         * @description How the values are aggregated.
         * @enum {string}
         */
        Strategy: "average" | "median" | "majority" | "weighted_median" | "trimmed_mean" | "min" | "max";
        /**
         * Format: date-time
         * @description A time of day as RFC 3339 writes it, in UTC and in milliseconds.
         * @example 2026-11-29T20:20:46.123Z
         */
        Time: string;
        /** @description What the callers of the request received. */
        Told: components["schemas"]["Outcome"] | components["schemas"]["AskedError"] | components["schemas"]["Error"];
        /** @description A fraction that is not negative, as a number or as a string. */
        Tolerance: number | string;
        /** @description A share below 0.5 with at most 6 decimals, as a number or as a string. */
        TrimShare: number | string;
        /**
         * @description A number that a 96-bit decimal holds exactly, or a text of at most 4096 bytes. A number is a string if the request asks for `numbers` as `string`.
         * @example 42000.5
         * @example 4c1f9e0
         */
        Value: string;
        /** @description One worker of the expected set. */
        WorkerFate: {
            /**
             * Format: uint64
             * @description The age of its value on arrival, in milliseconds. Present if the worker stated one.
             */
            age_ms?: number;
            fate: components["schemas"]["Fate"];
            /** @description Why its value was not used. Present only if it is excluded. */
            reason?: components["schemas"]["Exclusion"];
            /** @description The weight of its value. Present if the strategy uses weights. */
            weight?: components["schemas"]["Number"];
            /** @description Who. */
            worker_id: components["schemas"]["Id"];
        };
        /** @description One worker with its record. */
        WorkerRecord: {
            /** @description Whether it announces itself. */
            announced: boolean;
            /**
             * Format: uint64
             * @description How often it answered one request twice, differently.
             */
            equivocations: number;
            /** Format: uint64 */
            failures: number;
            /**
             * Format: uint64
             * @description The time since its last message, in milliseconds.
             */
            last_heard_ms: number;
            /**
             * Format: uint64
             * @description How often its answer came after the end of its request.
             */
            late: number;
            /**
             * Format: uint64
             * @description How often its value was judged bad against the others', whether it was used or not.
             */
            outliers: number;
            /** @description Whether its values are not counted because its score is too low. */
            quarantined: boolean;
            /**
             * @description The queries that it offers: patterns in which `*` stands for any characters. `*` alone stands for every query.
             * @example [
             *       "BTC/*"
             *     ]
             */
            queries: string[];
            /** @description Whether several replicas answer under its name. */
            replicated: boolean;
            response_time: components["schemas"]["Quantiles"] | null;
            /** @description Its recent reliability, 0 to 1, with 6 decimals. */
            score: components["schemas"]["Number"];
            state: components["schemas"]["WorkerState"];
            /** Format: uint64 */
            successes: number;
            /**
             * @description Whether it was silent for longer than usual while others answered, and has not been heard since. Requests wait for
             *     it only as long as it usually takes.
             */
            suspect: boolean;
            /**
             * Format: uint64
             * @description How often it was silent until the deadline.
             */
            timeouts: number;
            worker_id: components["schemas"]["Id"];
        };
        /** @description A worker's answer: on the bus, and within an outcome. */
        WorkerResponse: {
            /**
             * Format: uint64
             * @description The age of the value on arrival, in milliseconds. Present if the worker stated one.
             */
            age_ms?: number;
            /** @description The worker's reason why there is no value. Present only in a failure. */
            err?: string;
            /** @description The request it answers. */
            request_id: components["schemas"]["Id"];
            /**
             * Format: uint64
             * @description The response time that the worker states, in nanoseconds.
             * @example 183042117
             */
            response_time: number;
            /**
             * Format: uint64
             * @description The same as `response_time`, by a name with its unit. Not on the bus.
             * @example 183042117
             */
            response_time_ns?: number;
            value: components["schemas"]["Value"] | null;
            /** @description The worker. */
            worker_id: components["schemas"]["Id"];
        };
        /**
         * @description Whether a worker takes tasks. `draining`: it answers only those it has. `left`: it announced that. `expired`: it has
         *     not been heard for the presence timeout.
         * @enum {string}
         */
        WorkerState: "live" | "draining" | "left" | "expired";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    dashboard: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    /** @description Names this version. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html; charset=utf-8": string;
                };
            };
            /** @description The client has this version: its `If-None-Match` names it. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    /** @description Names this version. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html; charset=utf-8": string;
                };
            };
            /** @description The client has this version: its `If-None-Match` names it. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description The same for clients that cannot set headers. The header takes precedence. */
                last_event_id?: string;
                /** @description Send only the outcomes of this query; `*` stands for any characters. Then `recent` counts these. */
                query?: components["schemas"]["Query"];
                /** @description Otherwise, begin with this many of the last events. */
                recent?: number;
                /** @description Also report each result that the request with this id accepts, as soon as it does. */
                request_id?: components["schemas"]["Id"];
            };
            header?: {
                /** @description Continue after the event with this id. Browsers send it when they reconnect. */
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example retry: 1000
                     *
                     *     id: 5d1f0c3a-17
                     *     event: missed
                     *     data: {"count":12}
                     */
                    "text/event-stream": string;
                };
            };
            /** @description `invalid_request`: a parameter cannot be read. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. `rate_limited`: this address reads events too many times at once. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: too many clients read events. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    feeds: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The feeds. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "feeds": [
                     *         {
                     *           "age_ms": 1200,
                     *           "answered_at": "2026-09-24T12:00:00.241Z",
                     *           "deviation": 0.005,
                     *           "heartbeat_ms": 10000,
                     *           "max_staleness_ms": 20000,
                     *           "min_interval_ms": 1000,
                     *           "name": "BTC-USD",
                     *           "newest_round": 4711,
                     *           "newest_status": "partial",
                     *           "query": "BTC/USD",
                     *           "round": 4711,
                     *           "stale": false,
                     *           "value": 41945.375
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Feeds"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    feed: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of an earlier response. */
                "If-None-Match"?: string | null;
            };
            path: {
                /** @description The name of the feed. */
                name: components["schemas"]["FeedName"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The last report. */
            200: {
                headers: {
                    /** @description Names the records that the body shows. It changes with them, and not with the age. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "age_ms": 1200,
                     *       "answered_at": "2026-09-24T12:00:00.241Z",
                     *       "coordinator": "c1f2",
                     *       "feed": "BTC-USD",
                     *       "last_report": {
                     *         "answered_at": "2026-09-24T12:00:00.000Z",
                     *         "round": 4710,
                     *         "value": 41730.5
                     *       },
                     *       "lease": 17,
                     *       "newest_at": "2026-09-24T12:00:00.241Z",
                     *       "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *       "newest_round": 4711,
                     *       "newest_status": "partial",
                     *       "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *       "outcome": {
                     *         "agreement": 1,
                     *         "answered_at": "2026-09-24T12:00:00.241Z",
                     *         "elapsed": 241000000,
                     *         "elapsed_ns": 241000000,
                     *         "excluded": [],
                     *         "expected": 3,
                     *         "failed": 1,
                     *         "final_value": 41945.375,
                     *         "missing": [],
                     *         "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *         "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *         "query": "BTC/USD",
                     *         "reliability_note": "Partial response: 2/3 workers succeeded",
                     *         "request_id": "order-7781-price",
                     *         "spread": {
                     *           "interquartile": 55.125,
                     *           "mad": 55.125,
                     *           "max": 42000.5,
                     *           "min": 41890.25
                     *         },
                     *         "status": "partial",
                     *         "strategy": "median",
                     *         "succeeded": 2,
                     *         "tie": false,
                     *         "worker_responses": [
                     *           {
                     *             "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *             "request_id": "order-7781-price",
                     *             "response_time": 92000000,
                     *             "response_time_ns": 92000000,
                     *             "value": null,
                     *             "worker_id": "bitstamp"
                     *           },
                     *           {
                     *             "request_id": "order-7781-price",
                     *             "response_time": 183000000,
                     *             "response_time_ns": 183000000,
                     *             "value": 42000.5,
                     *             "worker_id": "coinbase"
                     *           },
                     *           {
                     *             "request_id": "order-7781-price",
                     *             "response_time": 240000000,
                     *             "response_time_ns": 240000000,
                     *             "value": 41890.25,
                     *             "worker_id": "kraken"
                     *           }
                     *         ],
                     *         "workers": [
                     *           {
                     *             "fate": "failed",
                     *             "worker_id": "bitstamp"
                     *           },
                     *           {
                     *             "fate": "used",
                     *             "worker_id": "coinbase"
                     *           },
                     *           {
                     *             "fate": "used",
                     *             "worker_id": "kraken"
                     *           }
                     *         ]
                     *       },
                     *       "previous": {
                     *         "sequence": 90211,
                     *         "sha256": "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"
                     *       },
                     *       "reason": "deviation",
                     *       "round": 4711,
                     *       "stale": false,
                     *       "status": "partial",
                     *       "value": 41945.375
                     *     }
                     */
                    "application/json": components["schemas"]["Feed"];
                };
            };
            /** @description The records are those that `If-None-Match` names. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `not_found`: there is no feed of this name, or it has no report yet. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    feed_at: {
        parameters: {
            query: {
                /** @description The time. */
                time: components["schemas"]["Time"];
            };
            header?: never;
            path: {
                /** @description The name of the feed. */
                name: components["schemas"]["FeedName"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The record of the report that stood. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "answered_at": "2026-09-24T12:00:00.241Z",
                     *       "coordinator": "c1f2",
                     *       "feed": "BTC-USD",
                     *       "last_report": {
                     *         "answered_at": "2026-09-24T12:00:00.000Z",
                     *         "round": 4710,
                     *         "value": 41730.5
                     *       },
                     *       "lease": 17,
                     *       "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *       "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *       "outcome": {
                     *         "agreement": 1,
                     *         "answered_at": "2026-09-24T12:00:00.241Z",
                     *         "elapsed": 241000000,
                     *         "elapsed_ns": 241000000,
                     *         "excluded": [],
                     *         "expected": 3,
                     *         "failed": 1,
                     *         "final_value": 41945.375,
                     *         "missing": [],
                     *         "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *         "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *         "query": "BTC/USD",
                     *         "reliability_note": "Partial response: 2/3 workers succeeded",
                     *         "request_id": "order-7781-price",
                     *         "spread": {
                     *           "interquartile": 55.125,
                     *           "mad": 55.125,
                     *           "max": 42000.5,
                     *           "min": 41890.25
                     *         },
                     *         "status": "partial",
                     *         "strategy": "median",
                     *         "succeeded": 2,
                     *         "tie": false,
                     *         "worker_responses": [
                     *           {
                     *             "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *             "request_id": "order-7781-price",
                     *             "response_time": 92000000,
                     *             "response_time_ns": 92000000,
                     *             "value": null,
                     *             "worker_id": "bitstamp"
                     *           },
                     *           {
                     *             "request_id": "order-7781-price",
                     *             "response_time": 183000000,
                     *             "response_time_ns": 183000000,
                     *             "value": 42000.5,
                     *             "worker_id": "coinbase"
                     *           },
                     *           {
                     *             "request_id": "order-7781-price",
                     *             "response_time": 240000000,
                     *             "response_time_ns": 240000000,
                     *             "value": 41890.25,
                     *             "worker_id": "kraken"
                     *           }
                     *         ],
                     *         "workers": [
                     *           {
                     *             "fate": "failed",
                     *             "worker_id": "bitstamp"
                     *           },
                     *           {
                     *             "fate": "used",
                     *             "worker_id": "coinbase"
                     *           },
                     *           {
                     *             "fate": "used",
                     *             "worker_id": "kraken"
                     *           }
                     *         ]
                     *       },
                     *       "previous": {
                     *         "sequence": 90211,
                     *         "sha256": "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"
                     *       },
                     *       "reason": "deviation",
                     *       "round": 4711,
                     *       "status": "partial",
                     *       "value": 41945.375
                     *     }
                     */
                    "application/json": components["schemas"]["Record"];
                };
            };
            /** @description `invalid_request`: the time cannot be read. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_found`: there is no feed of this name, or the store keeps no report from before that time. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `store_unavailable`: the store does not answer. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    feed_history: {
        parameters: {
            query?: {
                /** @description The `next` of the page before. It takes precedence over `from`. */
                cursor?: number;
                /** @description The first round, or the time from which records are sent. */
                from?: string;
                /** @description The most records, 100 by default. There are fewer if they are long. */
                limit?: number;
                /** @description The last round, or the time until which records are sent. */
                to?: string;
            };
            header?: never;
            path: {
                /** @description The name of the feed. */
                name: components["schemas"]["FeedName"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of records. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "feed": "BTC-USD",
                     *       "next": 4712,
                     *       "reports": [
                     *         {
                     *           "answered_at": "2026-09-24T12:00:00.241Z",
                     *           "coordinator": "c1f2",
                     *           "feed": "BTC-USD",
                     *           "last_report": {
                     *             "answered_at": "2026-09-24T12:00:00.000Z",
                     *             "round": 4710,
                     *             "value": 41730.5
                     *           },
                     *           "lease": 17,
                     *           "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *           "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *           "outcome": {
                     *             "agreement": 1,
                     *             "answered_at": "2026-09-24T12:00:00.241Z",
                     *             "elapsed": 241000000,
                     *             "elapsed_ns": 241000000,
                     *             "excluded": [],
                     *             "expected": 3,
                     *             "failed": 1,
                     *             "final_value": 41945.375,
                     *             "missing": [],
                     *             "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *             "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *             "query": "BTC/USD",
                     *             "reliability_note": "Partial response: 2/3 workers succeeded",
                     *             "request_id": "order-7781-price",
                     *             "spread": {
                     *               "interquartile": 55.125,
                     *               "mad": 55.125,
                     *               "max": 42000.5,
                     *               "min": 41890.25
                     *             },
                     *             "status": "partial",
                     *             "strategy": "median",
                     *             "succeeded": 2,
                     *             "tie": false,
                     *             "worker_responses": [
                     *               {
                     *                 "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 92000000,
                     *                 "response_time_ns": 92000000,
                     *                 "value": null,
                     *                 "worker_id": "bitstamp"
                     *               },
                     *               {
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 183000000,
                     *                 "response_time_ns": 183000000,
                     *                 "value": 42000.5,
                     *                 "worker_id": "coinbase"
                     *               },
                     *               {
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 240000000,
                     *                 "response_time_ns": 240000000,
                     *                 "value": 41890.25,
                     *                 "worker_id": "kraken"
                     *               }
                     *             ],
                     *             "workers": [
                     *               {
                     *                 "fate": "failed",
                     *                 "worker_id": "bitstamp"
                     *               },
                     *               {
                     *                 "fate": "used",
                     *                 "worker_id": "coinbase"
                     *               },
                     *               {
                     *                 "fate": "used",
                     *                 "worker_id": "kraken"
                     *               }
                     *             ]
                     *           },
                     *           "previous": {
                     *             "sequence": 90211,
                     *             "sha256": "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"
                     *           },
                     *           "reason": "deviation",
                     *           "round": 4711,
                     *           "status": "partial",
                     *           "value": 41945.375
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["FeedHistory"];
                };
            };
            /** @description `invalid_request`: a parameter cannot be read. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_found`: there is no feed of this name. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `store_unavailable`: the store does not answer. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    feed_events: {
        parameters: {
            query?: {
                /** @description Send only the records of this feed. */
                feed?: components["schemas"]["FeedName"];
                /** @description The same for clients that cannot set headers. The header takes precedence. */
                last_event_id?: string;
            };
            header?: {
                /** @description Continue after the record with this id. Browsers send it when they reconnect. */
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The records. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example retry: 1000
                     *
                     *     id: BTC-USD-4711
                     *     event: record
                     *     data: {"feed":"BTC-USD","round":4711}
                     */
                    "text/event-stream": string;
                };
            };
            /** @description `invalid_request`: a parameter cannot be read. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. `rate_limited`: this address reads events too many times at once. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: too many clients read events. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "nats": true,
                     *       "port": 8080,
                     *       "status": "healthy"
                     *     }
                     */
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description In Prometheus' text format. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example # TYPE quorate_requests_in_flight gauge
                     *     quorate_requests_in_flight 0
                     */
                    "text/plain; version=0.0.4; charset=utf-8": string;
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An OpenAPI document. */
            200: {
                headers: {
                    /** @description Names this version. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description The client has this version: its `If-None-Match` names it. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    outcomes: {
        parameters: {
            query?: {
                /** @description The `next` of the page before; `query` and `to` stay as they were. */
                cursor?: string;
                /** @description Only outcomes that were stored at this time, as RFC 3339 writes it, or later. Default: all. */
                from?: string;
                /** @description The most outcomes on a page. Default: 100. */
                limit?: number;
                /** @description How the values are written if they are numbers. Default: `number`. */
                numbers?: components["schemas"]["Numbers"];
                /** @description Only outcomes of this query. */
                query?: components["schemas"]["Query"];
                /** @description Only outcomes that were stored before this time. Default: all. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the stored outcomes, the oldest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "next": "4711",
                     *       "outcomes": [
                     *         {
                     *           "code": 200,
                     *           "id": "order-7781-price",
                     *           "outcome": {
                     *             "agreement": 1,
                     *             "answered_at": "2026-09-24T12:00:00.241Z",
                     *             "elapsed": 241000000,
                     *             "elapsed_ns": 241000000,
                     *             "excluded": [],
                     *             "expected": 3,
                     *             "failed": 1,
                     *             "final_value": 41945.375,
                     *             "missing": [],
                     *             "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *             "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *             "query": "BTC/USD",
                     *             "reliability_note": "Partial response: 2/3 workers succeeded",
                     *             "request_id": "order-7781-price",
                     *             "spread": {
                     *               "interquartile": 55.125,
                     *               "mad": 55.125,
                     *               "max": 42000.5,
                     *               "min": 41890.25
                     *             },
                     *             "status": "partial",
                     *             "strategy": "median",
                     *             "succeeded": 2,
                     *             "tie": false,
                     *             "worker_responses": [
                     *               {
                     *                 "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 92000000,
                     *                 "response_time_ns": 92000000,
                     *                 "value": null,
                     *                 "worker_id": "bitstamp"
                     *               },
                     *               {
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 183000000,
                     *                 "response_time_ns": 183000000,
                     *                 "value": 42000.5,
                     *                 "worker_id": "coinbase"
                     *               },
                     *               {
                     *                 "request_id": "order-7781-price",
                     *                 "response_time": 240000000,
                     *                 "response_time_ns": 240000000,
                     *                 "value": 41890.25,
                     *                 "worker_id": "kraken"
                     *               }
                     *             ],
                     *             "workers": [
                     *               {
                     *                 "fate": "failed",
                     *                 "worker_id": "bitstamp"
                     *               },
                     *               {
                     *                 "fate": "used",
                     *                 "worker_id": "coinbase"
                     *               },
                     *               {
                     *                 "fate": "used",
                     *                 "worker_id": "kraken"
                     *               }
                     *             ]
                     *           },
                     *           "query": "BTC/USD",
                     *           "stored_at": "2026-09-24T12:00:00.243Z"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["History"];
                };
            };
            /** @description `invalid_request`: a parameter is out of range. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `no_store`: the coordinator has no store. */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `store_unavailable`: the store does not answer. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    policies: {
        parameters: {
            query?: {
                /** @description Only the policy that applies to this query. */
                query?: components["schemas"]["Query"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The policies in force. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "policies": [
                     *         {
                     *           "decimals": 2,
                     *           "expect": [
                     *             "kraken"
                     *           ],
                     *           "max_age_ms": 60000,
                     *           "max_deviation": "mad:3.5",
                     *           "min_agreement": 0.51,
                     *           "min_expected": 3,
                     *           "min_responses": 2,
                     *           "on_dispute": "reject",
                     *           "precision": 2,
                     *           "query": "BTC/*",
                     *           "quorum": null,
                     *           "strategy": "median",
                     *           "timeout_ms": 5000,
                     *           "tolerance": 0.06,
                     *           "trim_share": 0.25
                     *         }
                     *       ],
                     *       "weights": {
                     *         "kraken": 2.5
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Policies"];
                };
            };
            /** @description `invalid_request`: `query` is no query. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    queries: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the live workers offer, in order. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "queries": [
                     *         {
                     *           "query": "BTC/*",
                     *           "workers": 3
                     *         },
                     *         {
                     *           "query": "block/latest",
                     *           "workers": 7
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Queries"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can serve. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "in_flight": 0,
                     *       "ready": true,
                     *       "short": [
                     *         {
                     *           "missing": [
                     *             "kraken"
                     *           ],
                     *           "needed": 3,
                     *           "query": "BTC/*",
                     *           "served": true,
                     *           "workers": 3
                     *         }
                     *       ],
                     *       "workers": 3
                     *     }
                     */
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description `no_workers`: no live worker is known. `too_few_workers`: fewer workers are there than every policy requires. `bus_down`: NATS is not connected. `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    ask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Request"];
            };
        };
        responses: {
            /** @description The answer, with its evidence. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "agreement": 1,
                     *       "answered_at": "2026-09-24T12:00:00.241Z",
                     *       "elapsed": 241000000,
                     *       "elapsed_ns": 241000000,
                     *       "excluded": [],
                     *       "expected": 3,
                     *       "failed": 1,
                     *       "final_value": 41945.375,
                     *       "missing": [],
                     *       "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *       "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *       "query": "BTC/USD",
                     *       "reliability_note": "Partial response: 2/3 workers succeeded",
                     *       "request_id": "order-7781-price",
                     *       "spread": {
                     *         "interquartile": 55.125,
                     *         "mad": 55.125,
                     *         "max": 42000.5,
                     *         "min": 41890.25
                     *       },
                     *       "status": "partial",
                     *       "strategy": "median",
                     *       "succeeded": 2,
                     *       "tie": false,
                     *       "worker_responses": [
                     *         {
                     *           "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *           "request_id": "order-7781-price",
                     *           "response_time": 92000000,
                     *           "response_time_ns": 92000000,
                     *           "value": null,
                     *           "worker_id": "bitstamp"
                     *         },
                     *         {
                     *           "request_id": "order-7781-price",
                     *           "response_time": 183000000,
                     *           "response_time_ns": 183000000,
                     *           "value": 42000.5,
                     *           "worker_id": "coinbase"
                     *         },
                     *         {
                     *           "request_id": "order-7781-price",
                     *           "response_time": 240000000,
                     *           "response_time_ns": 240000000,
                     *           "value": 41890.25,
                     *           "worker_id": "kraken"
                     *         }
                     *       ],
                     *       "workers": [
                     *         {
                     *           "fate": "failed",
                     *           "worker_id": "bitstamp"
                     *         },
                     *         {
                     *           "fate": "used",
                     *           "worker_id": "coinbase"
                     *         },
                     *         {
                     *           "fate": "used",
                     *           "worker_id": "kraken"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            /** @description `invalid_request`: the body is not JSON, lacks `query`, or a field has a wrong type or range. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unknown_query`: no known worker offers the query. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `request_timeout`: the body did not arrive within 10 s. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `conflict`: the `id` is in use, or still remembered, for another query. `disputed`: the workers do not agree, and `on_dispute` is `reject`. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskedError"] | components["schemas"]["Error"];
                };
            };
            /** @description `payload_too_large`: the body is longer than 16 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type`: the body is not declared as `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `insufficient_responses`: fewer usable values than `min_responses`. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskedError"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `no_workers`: no worker is subscribed to tasks, or none that offers the query is live. `overloaded`: too many requests are in flight, or wait under one id, or the queue to NATS is full. `bus_down`: NATS is not connected, or was lost before enough values had arrived. `draining`: the coordinator is about to stop. `store_unavailable`: the request has an `id`, and the store does not say whether that has an outcome. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskedError"] | components["schemas"]["Error"];
                };
            };
            /** @description `deadline_exceeded`: the deadline passed without one usable value. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskedError"];
                };
            };
        };
    };
    submit: {
        parameters: {
            query?: never;
            header?: {
                /** @description The id of the request. If the body has an `id`, both are equal. */
                "Idempotency-Key"?: components["schemas"]["Id"] | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Request"];
            };
        };
        responses: {
            /** @description The request is stored, and will have an outcome. */
            202: {
                headers: {
                    /** @description Where its outcome will be. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "order-7781-price",
                     *       "state": "open"
                     *     }
                     */
                    "application/json": components["schemas"]["RequestState"];
                };
            };
            /** @description `invalid_request`: the body is not JSON, lacks `query`, a field has a wrong type or range, or `id` is not the `Idempotency-Key`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `request_timeout`: the body did not arrive within 10 s. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `conflict`: the id is in use for another query. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `payload_too_large`: the body is longer than 16 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type`: the body is not declared as `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `no_store`: the coordinator has no store. */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: too many durable requests are open. `store_unavailable`: the store does not answer: the request may be accepted or not. `draining`: the coordinator is about to stop. `overloaded`: the coordinator is stuck. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    ended: {
        parameters: {
            query?: {
                /** @description How the values are written if they are numbers. Default: `number`. */
                numbers?: components["schemas"]["Numbers"];
                /** @description How long the outcome of an open request is awaited, in milliseconds. Default: 0. */
                wait_ms?: number;
            };
            header?: never;
            path: {
                /** @description The id of the request. */
                id: components["schemas"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What its callers received. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "agreement": 1,
                     *       "answered_at": "2026-09-24T12:00:00.241Z",
                     *       "elapsed": 241000000,
                     *       "elapsed_ns": 241000000,
                     *       "excluded": [],
                     *       "expected": 3,
                     *       "failed": 1,
                     *       "final_value": 41945.375,
                     *       "missing": [],
                     *       "newest_observed_at": "2026-09-24T12:00:00.240Z",
                     *       "oldest_observed_at": "2026-09-24T12:00:00.183Z",
                     *       "query": "BTC/USD",
                     *       "reliability_note": "Partial response: 2/3 workers succeeded",
                     *       "request_id": "order-7781-price",
                     *       "spread": {
                     *         "interquartile": 55.125,
                     *         "mad": 55.125,
                     *         "max": 42000.5,
                     *         "min": 41890.25
                     *       },
                     *       "status": "partial",
                     *       "strategy": "median",
                     *       "succeeded": 2,
                     *       "tie": false,
                     *       "worker_responses": [
                     *         {
                     *           "err": "www.bitstamp.net: answered 502 Bad Gateway",
                     *           "request_id": "order-7781-price",
                     *           "response_time": 92000000,
                     *           "response_time_ns": 92000000,
                     *           "value": null,
                     *           "worker_id": "bitstamp"
                     *         },
                     *         {
                     *           "request_id": "order-7781-price",
                     *           "response_time": 183000000,
                     *           "response_time_ns": 183000000,
                     *           "value": 42000.5,
                     *           "worker_id": "coinbase"
                     *         },
                     *         {
                     *           "request_id": "order-7781-price",
                     *           "response_time": 240000000,
                     *           "response_time_ns": 240000000,
                     *           "value": 41890.25,
                     *           "worker_id": "kraken"
                     *         }
                     *       ],
                     *       "workers": [
                     *         {
                     *           "fate": "failed",
                     *           "worker_id": "bitstamp"
                     *         },
                     *         {
                     *           "fate": "used",
                     *           "worker_id": "coinbase"
                     *         },
                     *         {
                     *           "fate": "used",
                     *           "worker_id": "kraken"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Outcome"] | components["schemas"]["AskedError"];
                };
            };
            /** @description The request is open: it has no outcome yet. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "id": "order-7781-price",
                     *       "state": "open"
                     *     }
                     */
                    "application/json": components["schemas"]["RequestState"];
                };
            };
            /** @description `invalid_request`: a parameter is out of range. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_found`: no request with this id has ended lately, and none is open. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `store_unavailable`: the store does not answer. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    workers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The known workers and the counters. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "absent": [
                     *         "coinbase"
                     *       ],
                     *       "counters": {
                     *         "requests_accepted": 417,
                     *         "results_accepted": 418,
                     *         "results_late": 1
                     *       },
                     *       "in_flight": 0,
                     *       "workers": [
                     *         {
                     *           "announced": true,
                     *           "blames": [
                     *             {
                     *               "ago_ms": 61200,
                     *               "blame": "failure",
                     *               "request_id": "order-7780-price",
                     *               "score": 0.9375,
                     *               "score_before": 1
                     *             }
                     *           ],
                     *           "equivocations": 0,
                     *           "failures": 3,
                     *           "last_failure": {
                     *             "ago_ms": 61200,
                     *             "request_id": "order-7780-price",
                     *             "text": "api.kraken.com: answered 502 Bad Gateway"
                     *           },
                     *           "last_heard_ms": 812,
                     *           "late": 1,
                     *           "outliers": 0,
                     *           "quarantined": false,
                     *           "queries": [
                     *             "BTC/*",
                     *             "ETH/USD"
                     *           ],
                     *           "replicated": false,
                     *           "response_time": {
                     *             "p50": 182000311,
                     *             "p90": 260114200,
                     *             "p99": 611900045
                     *           },
                     *           "score": 0.9375,
                     *           "state": "live",
                     *           "successes": 412,
                     *           "suspect": false,
                     *           "timeouts": 1,
                     *           "worker_id": "kraken"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["Register"];
                };
            };
            /** @description `rate_limited`: too many requests from this address. */
            429: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`: the coordinator is stuck. `draining`: the coordinator is about to stop. */
            503: {
                headers: {
                    /** @description The number of seconds after which a retry may help; absent while the coordinator drains. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
}

/** The fields of answers that are exact numbers. */
export const EXACT_FIELDS: ReadonlySet<string> = new Set(["agreement","deviation","exact_value","final_value","interquartile","mad","max","min","min_agreement","score","score_before","tolerance","trim_share","value","weight"]);

/** The fields of answers that are objects whose fields are exact numbers. */
export const EXACT_MAPS: ReadonlySet<string> = new Set(["weights"]);
