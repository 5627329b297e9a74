"""The list of mistakes that test_doctor.py plants: cases_node.py, then cases_cluster.py."""

CASES = []


def case(*names, says="", fix=""):
    """names: the findings it must lead to, worst first. says: part of what or where. fix: part of the fix. A
    case returns what takes the mistake back; None: World.calm() does."""
    def add(plant):
        CASES.append((plant.__name__, names, says, fix, plant))
        return plant
    return add
