// The defaults of LoRA, for the library and for configurations.

export interface LoraDefaults {
  readonly r: number
  readonly loraAlpha: number
  readonly loraDropout: number
  readonly targetModules: string
  readonly useRslora: boolean
  readonly useDora: boolean
}

/** Defaults for a rank: α is twice that, so the update is scaled by 2 whatever the rank. */
export function loraDefaults(r = 8): LoraDefaults {
  return { r, loraAlpha: 2 * r, loraDropout: 0, targetModules: 'all-linear', useRslora: false, useDora: false }
}
