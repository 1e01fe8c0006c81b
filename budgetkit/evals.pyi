from evals import *  # in a checkout, budgetkit.evals is ../evals
