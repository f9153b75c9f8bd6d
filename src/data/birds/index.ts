/** Birds: a procedural, visibly biased data set of waterbirds and landbirds on water and land. */
export { birdScene, caption, places, subjects } from "./scene.ts";
export type { BirdSceneOptions, Place, Subject } from "./scene.ts";
export { birdRows, writeBirds } from "./write-birds.ts";
export type { BirdRow, WriteBirdsOptions } from "./write-birds.ts";
