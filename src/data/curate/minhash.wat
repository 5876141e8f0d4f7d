;; xxHash64 of runs of words, and the smallest of many permutations of those hashes: what a signature is made of.
;; In WebAssembly because it has 64-bit integers that wrap, as numpy's do; JavaScript has none that are fast.
;; Compiled by scripts/gen-minhash.sh into minhash-wasm.gen.ts.
;;
;; A text in memory is words with one space between them. A run of n words is the bytes from its first word to its last, so
;; that nothing has to be put together.
(module
  (memory (export "memory") 4)

  (func $round (param $acc i64) (param $input i64) (result i64)
    (i64.mul
      (i64.rotl (i64.add (local.get $acc) (i64.mul (local.get $input) (i64.const 0xC2B2AE3D27D4EB4F))) (i64.const 31))
      (i64.const 0x9E3779B185EBCA87)))

  (func $merge (param $h i64) (param $v i64) (result i64)
    (i64.add
      (i64.mul (i64.xor (local.get $h) (call $round (i64.const 0) (local.get $v))) (i64.const 0x9E3779B185EBCA87))
      (i64.const 0x85EBCA77C2B2AE63)))

  ;; xxHash64 with seed 0.
  (func $xxh64 (export "xxh64") (param $p i32) (param $len i32) (result i64)
    (local $h i64) (local $end i32)
    (local $v1 i64) (local $v2 i64) (local $v3 i64) (local $v4 i64)
    (local.set $end (i32.add (local.get $p) (local.get $len)))
    (if (i32.ge_u (local.get $len) (i32.const 32))
      (then
        (local.set $v1 (i64.add (i64.const 0x9E3779B185EBCA87) (i64.const 0xC2B2AE3D27D4EB4F)))
        (local.set $v2 (i64.const 0xC2B2AE3D27D4EB4F))
        (local.set $v3 (i64.const 0))
        (local.set $v4 (i64.sub (i64.const 0) (i64.const 0x9E3779B185EBCA87)))
        (loop $stripes
          (local.set $v1 (call $round (local.get $v1) (i64.load align=1 (local.get $p))))
          (local.set $v2 (call $round (local.get $v2) (i64.load offset=8 align=1 (local.get $p))))
          (local.set $v3 (call $round (local.get $v3) (i64.load offset=16 align=1 (local.get $p))))
          (local.set $v4 (call $round (local.get $v4) (i64.load offset=24 align=1 (local.get $p))))
          (local.set $p (i32.add (local.get $p) (i32.const 32)))
          (br_if $stripes (i32.ge_u (i32.sub (local.get $end) (local.get $p)) (i32.const 32))))
        (local.set $h
          (i64.add
            (i64.add (i64.rotl (local.get $v1) (i64.const 1)) (i64.rotl (local.get $v2) (i64.const 7)))
            (i64.add (i64.rotl (local.get $v3) (i64.const 12)) (i64.rotl (local.get $v4) (i64.const 18)))))
        (local.set $h (call $merge (local.get $h) (local.get $v1)))
        (local.set $h (call $merge (local.get $h) (local.get $v2)))
        (local.set $h (call $merge (local.get $h) (local.get $v3)))
        (local.set $h (call $merge (local.get $h) (local.get $v4))))
      (else (local.set $h (i64.const 0x27D4EB2F165667C5))))
    (local.set $h (i64.add (local.get $h) (i64.extend_i32_u (local.get $len))))
    (block $no8
      (loop $eights
        (br_if $no8 (i32.lt_u (i32.sub (local.get $end) (local.get $p)) (i32.const 8)))
        (local.set $h (i64.xor (local.get $h) (call $round (i64.const 0) (i64.load align=1 (local.get $p)))))
        (local.set $h
          (i64.add
            (i64.mul (i64.rotl (local.get $h) (i64.const 27)) (i64.const 0x9E3779B185EBCA87))
            (i64.const 0x85EBCA77C2B2AE63)))
        (local.set $p (i32.add (local.get $p) (i32.const 8)))
        (br $eights)))
    (if (i32.ge_u (i32.sub (local.get $end) (local.get $p)) (i32.const 4))
      (then
        (local.set $h
          (i64.xor (local.get $h)
            (i64.mul (i64.load32_u align=1 (local.get $p)) (i64.const 0x9E3779B185EBCA87))))
        (local.set $h
          (i64.add
            (i64.mul (i64.rotl (local.get $h) (i64.const 23)) (i64.const 0xC2B2AE3D27D4EB4F))
            (i64.const 0x165667B19E3779F9)))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))))
    (block $done
      (loop $ones
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $h
          (i64.xor (local.get $h) (i64.mul (i64.load8_u (local.get $p)) (i64.const 0x27D4EB2F165667C5))))
        (local.set $h (i64.mul (i64.rotl (local.get $h) (i64.const 11)) (i64.const 0x9E3779B185EBCA87)))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br $ones)))
    (local.set $h
      (i64.mul (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 33))) (i64.const 0xC2B2AE3D27D4EB4F)))
    (local.set $h
      (i64.mul (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 29))) (i64.const 0x165667B19E3779F9)))
    (i64.xor (local.get $h) (i64.shr_u (local.get $h) (i64.const 32))))

  ;; Writes where each word begins, and one more as if another followed; returns the number of words.
  (func $starts (param $text i32) (param $len i32) (param $out i32) (result i32)
    (local $p i32) (local $end i32) (local $at i32)
    (if (i32.eqz (local.get $len)) (then (return (i32.const 0))))
    (local.set $p (local.get $text))
    (local.set $end (i32.add (local.get $text) (local.get $len)))
    (local.set $at (local.get $out))
    (i32.store (local.get $at) (local.get $text))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (loop $bytes
      (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 0x20))
        (then
          (i32.store (local.get $at) (i32.add (local.get $p) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $p) (local.get $end))))
    (i32.store (local.get $at) (i32.add (local.get $end) (i32.const 1)))
    (i32.shr_u (i32.sub (local.get $at) (local.get $out)) (i32.const 2)))

  ;; Writes the hash of every run of n words, or of all words where there are fewer; returns the number of hashes.
  (func $shingles (export "shingles") (param $text i32) (param $len i32) (param $n i32) (param $scratch i32) (param $out i32) (result i32)
    (local $words i32) (local $count i32) (local $i i32) (local $from i32)
    (local.set $words (call $starts (local.get $text) (local.get $len) (local.get $scratch)))
    (if (i32.eqz (local.get $words)) (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $words) (local.get $n)) (then (local.set $n (local.get $words))))
    (local.set $count (i32.add (i32.sub (local.get $words) (local.get $n)) (i32.const 1)))
    (loop $runs
      (local.set $from (i32.load (i32.add (local.get $scratch) (i32.shl (local.get $i) (i32.const 2)))))
      (i64.store
        (i32.add (local.get $out) (i32.shl (local.get $i) (i32.const 3)))
        (call $xxh64
          (local.get $from)
          (i32.sub
            (i32.sub
              (i32.load (i32.add (local.get $scratch) (i32.shl (i32.add (local.get $i) (local.get $n)) (i32.const 2))))
              (i32.const 1))
            (local.get $from))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $runs (i32.lt_u (local.get $i) (local.get $count))))
    (local.get $count))

  ;; For k < rows: the least (h · a[k] + b[k] mod 2^64) mod (2^61 − 1) over all hashes h. a, b and out hold 64-bit integers.
  (func (export "least") (param $hashes i32) (param $count i32) (param $a i32) (param $b i32) (param $rows i32) (param $out i32)
    (local $k i32) (local $p i32) (local $end i32) (local $x i64) (local $y i64) (local $v i64) (local $best i64)
    (local.set $end (i32.add (local.get $hashes) (i32.shl (local.get $count) (i32.const 3))))
    (loop $rows_
      (local.set $x (i64.load (i32.add (local.get $a) (i32.shl (local.get $k) (i32.const 3)))))
      (local.set $y (i64.load (i32.add (local.get $b) (i32.shl (local.get $k) (i32.const 3)))))
      (local.set $best (i64.const -1))
      (local.set $p (local.get $hashes))
      (block $none
        (loop $all
          (br_if $none (i32.ge_u (local.get $p) (local.get $end)))
          (local.set $v (i64.add (i64.mul (i64.load (local.get $p)) (local.get $x)) (local.get $y)))
          (local.set $v
            (i64.add
              (i64.and (local.get $v) (i64.const 0x1FFFFFFFFFFFFFFF))
              (i64.shr_u (local.get $v) (i64.const 61))))
          (local.set $v
            (select
              (i64.sub (local.get $v) (i64.const 0x1FFFFFFFFFFFFFFF))
              (local.get $v)
              (i64.ge_u (local.get $v) (i64.const 0x1FFFFFFFFFFFFFFF))))
          (local.set $best
            (select (local.get $v) (local.get $best) (i64.lt_u (local.get $v) (local.get $best))))
          (local.set $p (i32.add (local.get $p) (i32.const 8)))
          (br $all)))
      (i64.store (i32.add (local.get $out) (i32.shl (local.get $k) (i32.const 3))) (local.get $best))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $rows_ (i32.lt_u (local.get $k) (local.get $rows)))))
)
