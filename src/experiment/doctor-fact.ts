// One line of the doctor.
export interface DoctorFact {
  name: string;
  /** "problem": nothing can run before it is solved; "warning": it runs, but less well. */
  status: "ok" | "warning" | "problem";
  value: string;
  advice?: string;
}

export const ok = (name: string, value: string): DoctorFact => ({ name, status: "ok", value });
export const warning = (name: string, value: string, advice: string): DoctorFact => ({
  ...{ name, status: "warning", value, advice },
});
export const problem = (name: string, value: string, advice: string): DoctorFact => ({
  ...{ name, status: "problem", value, advice },
});
