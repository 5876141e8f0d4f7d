// Which windows of text are drawn where nothing is said. Data only, so that `--help` and a configuration load no engine.

/** `maxLength` is the model's context where that is shorter. */
export const WINDOW_DEFAULTS = { samples: 32, maxLength: 512, batchSize: 1, textColumn: 'text', seed: 0 } as const
