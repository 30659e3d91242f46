// The mean and covariance of a painting's colors, given to a picture as the command does it (impasto/pictures/color.py).

/** A basis of colors, lightness first; distance that may be left; deviation that is noise; rounds at most, and how far they go. */
const OPPONENT = [[1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)], [1 / Math.sqrt(2), 0, -1 / Math.sqrt(2)], [1 / Math.sqrt(6), -2 / Math.sqrt(6), 1 / Math.sqrt(6)]];
const NEAR = 6 / 255, NOISE = 2 / 255, ROUNDS = 10, FURTHER = 1.5;

const matrix = (make) => [0, 1, 2].map((i) => [0, 1, 2].map((j) => make(i, j)));
const product = (a, b) => matrix((i, j) => a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j]);
const turned = (a) => matrix((i, j) => a[j][i]);
const applied = (a, x) => a.map((row) => row[0] * x[0] + row[1] * x[1] + row[2] * x[2]);

/** Eigenvalues of a symmetric matrix, and its eigenvectors as columns (Jacobi's rotations). */
function eigen(given) {
  let a = given, vectors = matrix((i, j) => Number(i === j));
  for (let sweep = 0; sweep < 16; sweep++) for (const [p, q] of [[0, 1], [0, 2], [1, 2]]) {
    const angle = 0.5 * Math.atan2(2 * a[p][q], a[q][q] - a[p][p]), c = Math.cos(angle), s = Math.sin(angle);
    const rotation = matrix((i, j) => i === j ? (i === p || i === q ? c : 1) : i === p && j === q ? s : i === q && j === p ? -s : 0);
    a = product(turned(rotation), product(a, rotation));
    vectors = product(vectors, rotation);
  }
  return { values: [a[0][0], a[1][1], a[2][2]], vectors };
}

/** A symmetric matrix with a function of its eigenvalues instead of them. */
function mapped(given, change) {
  const { values, vectors } = eigen(given), changed = values.map(change);
  return product(matrix((i, j) => vectors[i][j] * changed[j]), turned(vectors));
}

const power = (given, exponent) => mapped(given, (value) => Math.max(value, 1e-12) ** exponent);

/** Mean and covariance that nine numbers of a style vector stand for. */
export function gaussian(own) {
  const basis = turned(OPPONENT), factor = product(basis, matrix((i, j) => j > i ? 0 : own[3 + i * (i + 1) / 2 + j]));
  return { mean: applied(basis, own), covariance: product(factor, turned(factor)) };
}

function moments(picture, weights) {
  const count = picture.length / 3, mean = [0, 0, 0], sums = matrix(() => 0);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights ? weights[i] : 1;
    total += weight;
    for (let c = 0; c < 3; c++) mean[c] += weight * picture[c * count + i];
  }
  for (let c = 0; c < 3; c++) mean[c] /= total;
  for (let i = 0; i < count; i++) {
    const weight = weights ? weights[i] : 1;
    const r = picture[i] - mean[0], g = picture[count + i] - mean[1], b = picture[2 * count + i] - mean[2];
    sums[0][0] += weight * r * r; sums[0][1] += weight * r * g; sums[0][2] += weight * r * b;
    sums[1][1] += weight * g * g; sums[1][2] += weight * g * b; sums[2][2] += weight * b * b;
  }
  return { mean, covariance: matrix((i, j) => sums[Math.min(i, j)][Math.max(i, j)] / total + (i === j ? 1e-12 : 0)) };
}

/** 2-Wasserstein. */
function distance(a, b) {
  const root = power(b.covariance, 0.5), common = eigen(product(root, product(a.covariance, root))).values;
  let square = 0;
  for (let c = 0; c < 3; c++) square += (a.mean[c] - b.mean[c]) ** 2 + a.covariance[c][c] + b.covariance[c][c] - 2 * Math.sqrt(Math.max(0, common[c]));
  return Math.sqrt(Math.max(0, square));
}

/** Three planes in [0, 1], changed in place until they nearly have a mean and covariance of colors; all alike without weights. */
export function withColors(picture, goal, weights) {
  const count = picture.length / 3;
  for (let round = 0; round < ROUNDS; round++) {
    const own = moments(picture, weights);
    const far = distance(own, goal);
    if (far <= NEAR) break;
    const root = power(own.covariance, 0.5), inverse = power(own.covariance, -0.5);
    const map = product(inverse, product(power(product(root, product(goal.covariance, root)), 0.5), inverse));
    const factor = product(map, mapped(own.covariance, (value) => Number(value > NOISE ** 2))), share = (round ? FURTHER : 1) * (1 - 0.8 * NEAR / far);
    const color = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < 3; c++) color[c] = picture[c * count + i] - own.mean[c];
      for (let c = 0; c < 3; c++) {
        const [x, y, z] = factor[c], old = picture[c * count + i];
        picture[c * count + i] = Math.min(1, Math.max(0, old + share * (x * color[0] + y * color[1] + z * color[2] + goal.mean[c] - old)));
      }
    }
  }
}
