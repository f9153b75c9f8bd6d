/** Captions that name the subject and nothing else, so that the text encoder cannot learn where a bird is. */
export const SUBJECTS = ["landbird", "waterbird"] as const;

/** "{}" stands for the subject. The first is the caption of every Birds picture. */
export const TEMPLATES = [
  "a photo of a {}",
  "a picture of a {}",
  "an image of a {}",
  "a photograph of a {}",
  "an illustration of a {}",
  "a drawing of a {}",
  "a painting of a {}",
  "a {}",
  "the {}",
  "{}",
  "one {}",
  "a single {}",
  "a close up of a {}",
  "a nice photo of the {}",
  "there is a {} here",
  "a photo of {}s",
  "a small {}",
  "a big {}",
  "a picture of one {}",
  "this is a {}",
] as const;

export const fill = (template: string, subject: string): string => template.replace("{}", subject);

/** Every template with every subject, and with "bird", which belongs to both. */
export const CORPUS: readonly string[] = TEMPLATES.flatMap((template) =>
  [...SUBJECTS, "bird"].map((subject) => fill(template, subject)),
);

/** Which subject a caption names. @throws Error for a caption that names none or both. */
export function subjectOf(caption: string): number {
  const named = SUBJECTS.flatMap((subject, i) => (caption.includes(subject) ? [i] : []));
  if (named.length !== 1) throw new Error(`the caption "${caption}" does not name exactly one subject`);
  return named[0]!;
}
