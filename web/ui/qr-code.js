// A QR code (ISO/IEC 18004) of a text: byte mode, error correction level M,
// versions 1 to 20, which holds 666 bytes: more than any share link.

/** Error correction codewords in each block, and blocks, at level M by version (table 9 of the standard). */
const correction = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26]
const blockCount = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16]

/**
 * The modules of a code, row by row, true for dark; without the quiet zone of
 * four modules that it needs around it. Throws a RangeError when the text is too long.
 * @param {string} text
 * @returns {boolean[][]}
 */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text)
  let version = 1
  while (version < 21 && bytes.length > capacity(version)) version += 1
  if (version > 20) throw new RangeError('text too long for a QR code')
  const words = interleave(dataWords(bytes, version), version)
  let grid = draw(words, version, 0)
  let cost = penalty(grid)
  for (let mask = 1; mask < 8; mask += 1) {
    const other = draw(words, version, mask)
    const otherCost = penalty(other)
    if (otherCost < cost) [grid, cost] = [other, otherCost]
  }
  return grid
}

/** @param {number} version */
function rawWords(version) {
  const align = Math.floor(version / 7) + 2
  let modules = (16 * version + 128) * version + 64
  if (version > 1) modules -= (25 * align - 10) * align - 55
  if (version > 6) modules -= 36
  return modules >> 3
}

/** @param {number} version */
const wordsForData = (version) => rawWords(version) - correction[version] * blockCount[version]

/** @param {number} version */
const capacity = (version) => Math.floor((wordsForData(version) * 8 - 4 - (version < 10 ? 8 : 16)) / 8)

/**
 * @param {Uint8Array} bytes
 * @param {number} version
 */
function dataWords(bytes, version) {
  /** @type {number[]} */
  const bits = []
  const push = (/** @type {number} */ value, /** @type {number} */ length) => {
    for (let i = length - 1; i >= 0; i -= 1) bits.push((value >> i) & 1)
  }
  push(4, 4)
  push(bytes.length, version < 10 ? 8 : 16)
  for (const byte of bytes) push(byte, 8)
  const total = wordsForData(version) * 8
  push(0, Math.min(4, total - bits.length))
  push(0, (8 - (bits.length % 8)) % 8)
  for (let pad = 0xec; bits.length < total; pad ^= 0xec ^ 0x11) push(pad, 8)
  const words = new Uint8Array(bits.length / 8)
  bits.forEach((bit, i) => { words[i >> 3] |= bit << (7 - (i & 7)); })
  return words
}

/**
 * Splits the data into blocks, gives each its Reed-Solomon codewords, and takes
 * from the blocks in turn. The last blocks may be longer by one word.
 * @param {Uint8Array} data
 * @param {number} version
 */
function interleave(data, version) {
  const count = blockCount[version]
  const check = correction[version]
  const short = Math.floor(data.length / count)
  const longFrom = count - (data.length % count)
  const generator = generatorOf(check)
  const blocks = []
  for (let i = 0, at = 0; i < count; i += 1) {
    const length = short + (i >= longFrom ? 1 : 0)
    const block = data.subarray(at, at + length)
    blocks.push({ block, check: remainder(block, generator) })
    at += length
  }
  /** @type {number[]} */
  const words = []
  for (let i = 0; i <= short; i += 1) {
    for (const { block } of blocks) if (i < block.length) words.push(block[i])
  }
  for (let i = 0; i < check; i += 1) for (const block of blocks) words.push(block.check[i])
  return words
}

/**
 * Multiplies in GF(2^8) modulo x^8+x^4+x^3+x^2+1.
 * @param {number} a
 * @param {number} b
 */
function times(a, b) {
  let product = 0
  for (let i = 7; i >= 0; i -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    product ^= ((b >> i) & 1) * a
  }
  return product
}

/** @param {number} degree */
function generatorOf(degree) {
  const generator = new Uint8Array(degree)
  generator[degree - 1] = 1
  for (let i = 0, root = 1; i < degree; i += 1, root = times(root, 2)) {
    for (let k = 0; k < degree; k += 1) {
      generator[k] = times(generator[k], root) ^ (k + 1 < degree ? generator[k + 1] : 0)
    }
  }
  return generator
}

/**
 * @param {Uint8Array} block
 * @param {Uint8Array} generator
 */
function remainder(block, generator) {
  const rest = new Uint8Array(generator.length)
  for (const word of block) {
    const factor = word ^ rest[0]
    rest.copyWithin(0, 1)
    rest[rest.length - 1] = 0
    generator.forEach((value, i) => { rest[i] ^= times(value, factor); })
  }
  return rest
}

/** @type {((x: number, y: number) => boolean)[]} */
const masks = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

/**
 * @param {number[]} words
 * @param {number} version
 * @param {number} mask
 */
function draw(words, version, mask) {
  const size = version * 4 + 17
  /** @type {boolean[][]} */
  const grid = Array.from({ length: size }, () => new Array(size).fill(false))
  const fixed = Array.from({ length: size }, () => new Array(size).fill(false))
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {boolean} */ dark) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return
    grid[y][x] = dark
    fixed[y][x] = true
  }
  const square = (/** @type {number} */ cx, /** @type {number} */ cy, /** @type {number} */ radius, /** @type {number[]} */ light) => {
    for (let dy = -radius; dy <= radius; dy += 1) {
      for (let dx = -radius; dx <= radius; dx += 1) set(cx + dx, cy + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))))
    }
  }

  for (let i = 0; i < size; i += 1) {
    set(6, i, i % 2 === 0)
    set(i, 6, i % 2 === 0)
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4, [2, 4])
  const centres = alignment(version, size)
  centres.forEach((y, row) => centres.forEach((x, column) => {
    const last = centres.length - 1
    const corner = (row === 0 && (column === 0 || column === last)) || (row === last && column === 0)
    if (!corner) square(x, y, 2, [1])
  }))
  drawFormat(set, size, mask)
  if (version > 6) drawVersion(set, size, version)

  let bit = 0
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5; // the column of the timing pattern holds no data
    for (let step = 0; step < size; step += 1) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        if (fixed[y][x]) continue
        const dark = bit < words.length * 8 && ((words[bit >> 3] >> (7 - (bit & 7))) & 1) === 1
        grid[y][x] = dark !== masks[mask](x, y)
        bit += 1
      }
    }
  }
  return grid
}

/**
 * @param {number} version
 * @param {number} size
 */
function alignment(version, size) {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const step = Math.ceil((size - 13) / (count * 2 - 2)) * 2
  const centres = [6]
  for (let i = count - 2; i >= 0; i -= 1) centres.push(size - 7 - i * step)
  return centres
}

/**
 * The format: level M is 00, then the mask, then a BCH code; twice.
 * @param {(x: number, y: number, dark: boolean) => void} set
 * @param {number} size
 * @param {number} mask
 */
function drawFormat(set, size, mask) {
  let rest = mask
  for (let i = 0; i < 10; i += 1) rest = (rest << 1) ^ ((rest >> 9) * 0x537)
  const bits = ((mask << 10) | rest) ^ 0x5412
  for (let i = 0; i < 15; i += 1) {
    const dark = ((bits >> i) & 1) === 1
    if (i < 6) set(8, i, dark)
    else if (i < 8) set(8, i + 1, dark)
    else if (i === 8) set(7, 8, dark)
    else set(14 - i, 8, dark)
    if (i < 8) set(size - 1 - i, 8, dark)
    else set(8, size - 15 + i, dark)
  }
  set(8, size - 8, true)
}

/**
 * @param {(x: number, y: number, dark: boolean) => void} set
 * @param {number} size
 * @param {number} version
 */
function drawVersion(set, size, version) {
  let rest = version
  for (let i = 0; i < 12; i += 1) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25)
  const bits = (version << 12) | rest
  for (let i = 0; i < 18; i += 1) {
    const dark = ((bits >> i) & 1) === 1
    const a = size - 11 + (i % 3)
    const b = Math.floor(i / 3)
    set(a, b, dark)
    set(b, a, dark)
  }
}

/**
 * How hard a code is to read, by the four rules of the standard.
 * @param {boolean[][]} grid
 */
function penalty(grid) {
  const size = grid.length
  let cost = 0
  let dark = 0
  for (const transposed of [false, true]) {
    const at = (/** @type {number} */ i, /** @type {number} */ k) => (transposed ? grid[k][i] : grid[i][k])
    for (let i = 0; i < size; i += 1) {
      let run = 0
      let line = ''
      for (let k = 0; k < size; k += 1) {
        run = k > 0 && at(i, k) === at(i, k - 1) ? run + 1 : 1
        if (run === 5) cost += 3
        else if (run > 5) cost += 1
        line += at(i, k) ? '1' : '0'
      }
      for (let k = 0; k + 11 <= size; k += 1) {
        const part = line.slice(k, k + 11)
        if (part === '10111010000' || part === '00001011101') cost += 40
      }
    }
  }
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (grid[y][x]) dark += 1
      if (x && y && grid[y][x] === grid[y - 1][x] && grid[y][x] === grid[y][x - 1] && grid[y][x] === grid[y - 1][x - 1]) cost += 3
    }
  }
  return cost + Math.floor(Math.abs((dark * 20) / (size * size) - 10)) * 10
}
