// What QPruner adds to the ways of allocating formats, by name. Data only, so that `--help` and a configuration load no engine.

/** The name of the paper's importance, mutual information. */
export const MUTUAL_INFORMATION = 'mi'
