/// What is wrong with a plan, and with which part of it: a scenario file knows the line.
struct PlanFault: Error, Hashable {
    enum Part: Hashable {
        case publicHost(Int)
        case home(Int)
        case carrier(Int)
    }

    /// By its index in the plan; `nil` for the plan as a whole.
    var part: Part?
    /// The key of a scenario file that says it; `nil` for the part as a whole.
    var key: String?
    var message: String
}
