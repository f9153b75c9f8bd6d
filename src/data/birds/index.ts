/** Birds: a procedural, visibly biased data set of waterbirds and landbirds on water and land. */
export { birdScene, caption, places, poses, subjects } from "./scene.ts";
export type { BirdSceneOptions, Place, Pose, Subject } from "./scene.ts";
export { birdRows, writeBirds } from "./write-birds.ts";
export type { BirdRow, WriteBirdsOptions } from "./write-birds.ts";
