// Links and pictures of an answer, whose addresses can carry out what the model has read.

import { WORDINGS } from '../../base/wordings.ts'
import type { Rule } from '../rule.ts'

const IMAGE_OR_LINK = /!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)[^)\n]*\)/g
const ADDRESS = /\b(?:https?|ftp):\/\/[^\s<>"')\]]+/gi
const TAG =
  /<(?:img|a|iframe|script|link|object|embed|form)\b[^>]*?(?:src|href|data|action)\s*=\s*["']?([^"'\s>]+)[^>]*>/gi

/** An output rule: links, pictures and addresses of other hosts than these, and their subdomains, are written over. Without hosts, all. */
export function onlyLinks(hosts: readonly string[] = []): Rule {
  const isAllowed = (address: string): boolean => {
    if (/^[#/](?!\/)/.test(address)) return true
    try {
      const { hostname, protocol } = new URL(address.startsWith('//') ? `https:${address}` : address)
      if (protocol !== 'https:' && protocol !== 'http:') return false
      return hosts.some((host) => hostname === host.toLowerCase() || hostname.endsWith(`.${host.toLowerCase()}`))
    } catch {
      return !/^[a-z][a-z0-9+.-]*:/i.test(address)
    }
  }
  const over = (whole: string, address: string): string => (isAllowed(address) ? whole : WORDINGS.removed)
  return {
    name: 'only links',
    check: (text) => {
      const rewrite = text
        .replace(IMAGE_OR_LINK, over)
        .replace(TAG, over)
        .replace(ADDRESS, (address) => over(address, address))
      return rewrite === text ? undefined : { rewrite }
    },
  }
}
