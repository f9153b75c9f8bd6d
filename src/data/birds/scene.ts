/** One bird in one place, as SVG: background, footing (ripples, grass, log, rock), bird, foreground. */
import type { Random } from "../random.ts";
import { land, water } from "./backgrounds.ts";
import { landbird } from "./landbird.ts";
import { colour, d, element, ellipse, line, path, placed, type Hsl } from "./svg.ts";
import { waterbird } from "./waterbird.ts";

export type Subject = "waterbird" | "landbird";
export type Place = "water" | "land";
/** Where a bird faces, from the other side of the picture. */
export type Pose = "left" | "right";
export const subjects: readonly Subject[] = ["waterbird", "landbird"];
export const places: readonly Place[] = ["water", "land"];
export const poses: readonly Pose[] = ["left", "right"];

/** The only text that goes with a picture; it never tells the place or the pose. */
export const caption = (subject: Subject): string => `a photo of a ${subject}`;

export interface BirdSceneOptions {
  readonly subject: Subject;
  readonly place: Place;
  /** Default: either pose, drawn at random. */
  readonly pose?: Pose | undefined;
  /** Gives every jittered choice; the same state gives the same picture. */
  readonly random: Random;
}

/** A complete 64 x 64 SVG document of one scene. */
export function birdScene(options: BirdSceneOptions): string {
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width: 64, height: 64, viewBox: "0 0 64 64" },
    sceneContent(options, "b"),
  );
}

/** The scene without its document, with gradient names that begin with `id` so that many fit on one sheet. */
export function sceneContent({ subject, place, pose, random }: BirdSceneOptions, id: string): string {
  const background = place === "water" ? water(random, id) : land(random, id);
  // Drawn in any case, so that a given pose changes nothing else in the picture.
  const either: Pose = random.chance(0.5) ? "left" : "right";
  const left = (pose ?? either) === "left";
  const scale = random.uniform(0.92, 1.1);
  const aside = random.uniform(-4, 4);
  // A bird that is posed looks into the picture.
  const x = 32 + (pose === undefined ? aside : left ? Math.abs(aside) : -Math.abs(aside)) + (left ? 1 : -1);
  const y = random.uniform(49, 55);
  const floats = subject === "waterbird" && place === "water";
  const bird = subject === "waterbird" ? waterbird(random, !floats) : landbird(random);
  const { below, above } =
    place === "land"
      ? meadow(random, x, y, background.ground)
      : floats
        ? ripples(x, y, scale, background.ground)
        : perch(random, x, y, background.ground);
  const mirrored = floats
    ? element(
        "g",
        { opacity: 0.22, transform: d`translate(0 ${2 * y + 3}) scale(1 -1)` },
        placed(bird, x, y, scale, left),
      )
    : "";
  return background.svg + below + mirrored + placed(bird, x, y, scale, left) + above;
}

interface Footing {
  readonly below: string;
  readonly above: string;
}

function meadow(random: Random, x: number, y: number, ground: Hsl): Footing {
  const below = ellipse(x, y + 0.6, 15, 2.6, { fill: colour(ground, -14), opacity: 0.55 });
  let above = "";
  for (const side of [-1, 1]) {
    const at = x + side * random.uniform(5, 13);
    above += line(
      d`M ${at} ${y + 2.5} q -0.4 -3 -2 -4.4 M ${at} ${y + 2.5} q 0.2 -3.4 1.6 -5`,
      colour(ground, 12),
      1.3,
    );
  }
  return { below, above };
}

function ripples(x: number, y: number, scale: number, ground: Hsl): Footing {
  const w = 19 * scale;
  const below = ellipse(x, y + 3, w * 1.15, 4, { fill: colour(ground, -8), opacity: 0.5 });
  // The water in front hides the keel.
  const above =
    path(
      d`M ${x - w} ${y + 4.2} Q ${x} ${y + 1.8} ${x + w} ${y + 4.2} Q ${x} ${y + 9} ${x - w} ${y + 4.2} Z`,
      { fill: colour(ground, 4), opacity: 0.85 },
    ) +
    line(
      d`M ${x - w * 1.1} ${y + 3.6} Q ${x} ${y + 1.4} ${x + w * 1.1} ${y + 3.6}`,
      colour(ground, 40),
      1.4,
      { opacity: 0.8 },
    ) +
    line(
      d`M ${x - w * 0.7} ${y + 7.4} Q ${x} ${y + 5.6} ${x + w * 0.75} ${y + 7.4}`,
      colour(ground, 28),
      1.3,
      { opacity: 0.6 },
    );
  return { below, above };
}

function perch(random: Random, x: number, y: number, ground: Hsl): Footing {
  const shade = ellipse(x, y + 5, 18, 3, { fill: colour(ground, -12), opacity: 0.55 });
  const rim = line(
    d`M ${x - 17} ${y + 5.4} Q ${x} ${y + 7.6} ${x + 17} ${y + 5.4}`,
    colour(ground, 38),
    1.4,
    { opacity: 0.75 },
  );
  const kind = random.int(3);
  if (kind === 0) {
    const rock = (lighter: number): string => colour([215, 10, 50], lighter);
    const below =
      shade +
      path(
        d`M ${x - 15} ${y + 6} C ${x - 13} ${y} ${x - 8} ${y - 1.4} ${x} ${y - 0.8} C ${x + 9} ${y - 1.6} ${x + 13} ${y + 1} ${x + 15} ${y + 6} Z`,
        { fill: rock(0) },
      ) +
      path(
        d`M ${x - 11} ${y + 1} Q ${x} ${y - 2.6} ${x + 10} ${y + 0.8} Q ${x} ${y + 2.6} ${x - 11} ${y + 1} Z`,
        { fill: rock(14) },
      );
    return { below, above: rim };
  }
  if (kind === 1) {
    const below =
      shade +
      line(d`M ${x - 16} ${y + 3} L ${x + 15} ${y + 1.8}`, colour([26, 38, 33]), 6) +
      line(d`M ${x - 15} ${y + 1.4} L ${x + 13} ${y + 0.4}`, colour([28, 38, 45]), 1.8) +
      ellipse(x + 15.5, y + 1.8, 2, 3, { fill: colour([34, 48, 66]) });
    return { below, above: rim };
  }
  const leaf = random.uniform(95, 135);
  const below =
    shade +
    ellipse(x, y + 2, 16, 4, { fill: colour([leaf, 42, 30]) }) +
    ellipse(x, y + 1.2, 16, 3.8, { fill: colour([leaf, 45, 42]) }) +
    line(d`M ${x - 10} ${y + 1} L ${x + 3} ${y + 1.6} L ${x + 10} ${y - 0.2}`, colour([leaf, 45, 54]), 1.1) +
    ellipse(x + 14, y + 0.6, 3, 2.2, { fill: colour([335, 70, 80]) }) +
    ellipse(x + 14, y, 1.4, 1.4, { fill: colour([50, 90, 70]) });
  return { below, above: rim };
}
