import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

/** Of the process, not of one gateway in it; and only once somebody asks, for they cost a little. */
let processMetrics: Registry | null = null;

/** What this process counted since it started. Labels are names of ours and of the settings: never a person's, never an id. */
export class Metrics {
  private readonly registry = new Registry();

  readonly events = this.counter('postern_events_total', 'Happenings of webhooks, by what became of them.', [
    'source',
    'outcome',
    'reason',
  ]);
  readonly attempts = this.counter('postern_attempts_total', 'Tries of mails, by transport and outcome.', [
    'transport',
    'outcome',
  ]);
  readonly deliveries = this.counter('postern_deliveries_total', 'Deliveries that came into a state.', [
    'lane',
    'state',
  ]);
  readonly outbound = this.counter(
    'postern_outbound_total',
    'Tries of messages to the sources, by what became of them.',
    ['source', 'outcome'],
  );
  readonly codes = this.counter('postern_codes_total', 'Codes that were sent, and answers to them.', ['outcome']);
  readonly requests = new Histogram({
    name: 'postern_http_request_duration_seconds',
    help: 'From a request that was read to its whole answer, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [this.registry],
  });

  /** In the Prometheus text format. */
  async text(): Promise<string> {
    if (processMetrics === null) collectDefaultMetrics({ register: (processMetrics = new Registry()) });
    return `${await this.registry.metrics()}\n${await processMetrics.metrics()}`;
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

/** Content type of `Metrics.text`. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
